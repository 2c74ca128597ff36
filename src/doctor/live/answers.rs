//! What the model says, in the three protocols: one text, as one object or as server-sent events. Checked with Claude
//! Code 2.1.330, Codex 0.169.0 and Gemini CLI 0.61.0, 2026-11-25.

use serde_json::{Value, json};

/// What it says.
const TEXT: &str = "ok";

/// An answer in the protocol of its request.
pub(super) enum Answer {
    /// One object.
    Whole(Value),
    /// Events.
    Stream(String),
}

impl Answer {
    /// The answer to a request; `None` where it is none to a model.
    pub(super) fn to(method: &str, path: &str, body: &Value) -> Option<Self> {
        let is_streamed = body["stream"] == true;
        let model = body["model"].as_str().unwrap_or("mock");
        let answer = match path {
            _ if method != "POST" => return None,
            path if path.ends_with("/messages") && is_streamed => Self::Stream(messages(model)),
            path if path.ends_with("/messages") => Self::Whole(message(model, true)),
            path if path.ends_with("/responses") && is_streamed => Self::Stream(responses(model)),
            path if path.ends_with("/responses") => Self::Whole(response(model, "completed")),
            path if path.ends_with(":streamGenerateContent") => {
                Self::Stream(format!("data: {}\r\n\r\n", candidate()))
            }
            path if path.ends_with(":generateContent") => Self::Whole(candidate()),
            _ => return None,
        };
        Some(answer)
    }
}

/// The answer to what harnesses ask beside their turn: counts of tokens, lists of models.
pub(super) fn beside(method: &str, path: &str) -> (u16, Value) {
    if [":countTokens", "/count_tokens", "/input_tokens"].iter().any(|end| path.ends_with(end)) {
        (200, json!({"input_tokens": 10, "totalTokens": 10}))
    } else if path.ends_with("/models") {
        (200, json!({"object": "list", "data": [], "models": []}))
    } else if matches!(method, "GET" | "HEAD") {
        (200, json!({}))
    } else {
        (404, json!({}))
    }
}

fn events(list: &[Value]) -> String {
    let event =
        |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default());
    list.iter().map(event).collect()
}

fn message(model: &str, is_over: bool) -> Value {
    let content = if is_over { json!([{"type": "text", "text": TEXT}]) } else { json!([]) };
    let stop = is_over.then_some("end_turn");
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 1}
    })
}

fn messages(model: &str) -> String {
    events(&[
        json!({"type": "message_start", "message": message(model, false)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta", "usage": {"output_tokens": 1},
            "delta": {"stop_reason": "end_turn", "stop_sequence": null}
        }),
        json!({"type": "message_stop"}),
    ])
}

fn item() -> Value {
    let content = json!([{"type": "output_text", "text": TEXT, "annotations": []}]);
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content})
}

fn response(model: &str, status: &str) -> Value {
    let output = if status == "completed" { json!([item()]) } else { json!([]) };
    let usage = json!({
        "input_tokens": 10, "output_tokens": 1, "total_tokens": 11,
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}
    });
    json!({
        "id": "resp_1", "object": "response", "created_at": 0, "status": status, "model": model,
        "output": output, "usage": usage
    })
}

fn responses(model: &str) -> String {
    events(&[
        json!({"type": "response.created", "response": response(model, "in_progress")}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item()}),
        json!({"type": "response.completed", "response": response(model, "completed")}),
    ])
}

fn candidate() -> Value {
    let content = json!({"role": "model", "parts": [{"text": TEXT}]});
    json!({
        "candidates": [{"content": content, "index": 0, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 1, "totalTokenCount": 11}
    })
}
