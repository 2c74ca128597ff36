//! Owns the three protocols: which tools a request offers, and what an answer looks like as one
//! object and as server-sent events. It must not know the script, nor wait for anything.

use serde_json::{Value, json};

/// What an answer says.
pub(super) enum Content {
    Text(Vec<String>),
    Call { id: String, namespace: Option<String>, name: String, args: Value },
    Refusal(u16),
}

/// The tools with which agents load the ones that they defer: Claude Code's and Codex's.
pub(super) const SEARCH_TOOLS: [&str; 2] = ["ToolSearch", "tool_search"];

pub(super) struct OfferedTool {
    /// Codex groups the tools of a server under a namespace, which a call must name.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

/// The tools that the agent itself would run. The service's own (web search) do not count: to offer
/// nothing else makes no turn of the agent's.
pub(super) fn offered_tools(body: &Value) -> Vec<OfferedTool> {
    let input = body["input"].as_array().into_iter().flatten();
    let loaded = input.filter(|item| item["type"] == "tool_search_output");
    let mut offered = Vec::new();
    for tool in std::iter::once(body).chain(loaded).flat_map(|holder| list(&holder["tools"])) {
        let (namespace, members) = if tool["type"] == "namespace" {
            (tool["name"].as_str(), list(&tool["tools"]))
        } else if tool["functionDeclarations"].is_array() {
            (None, list(&tool["functionDeclarations"]))
        } else {
            (None, std::slice::from_ref(tool))
        };
        for member in members {
            let name = member["name"].as_str().or(member["type"].as_str()).unwrap_or_default();
            if !name.is_empty() && !name.starts_with("web_search") {
                let namespace = namespace.map(str::to_owned);
                offered.push(OfferedTool { namespace, name: name.to_owned() });
            }
        }
    }
    offered
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[derive(Clone, Copy)]
enum Protocol {
    Messages,
    Responses,
    GenerateContent,
}

/// How a model request wants its answer.
pub(super) struct Wire {
    protocol: Protocol,
    pub(super) streams: bool,
}

impl Wire {
    pub(super) fn of(path: &str, body: &Value) -> Option<Wire> {
        let streams = body["stream"] == true;
        if path.ends_with("/messages") {
            Some(Wire { protocol: Protocol::Messages, streams })
        } else if path.ends_with("/responses") {
            Some(Wire { protocol: Protocol::Responses, streams })
        } else if path.ends_with(":streamGenerateContent") {
            Some(Wire { protocol: Protocol::GenerateContent, streams: true })
        } else if path.ends_with(":generateContent") {
            Some(Wire { protocol: Protocol::GenerateContent, streams: false })
        } else {
            None
        }
    }

    /// The answer as one JSON object.
    pub(super) fn whole(&self, content: &Content, model: &str) -> Value {
        match self.protocol {
            Protocol::Messages => {
                let (mut block, stop) = message_block(content);
                if let Content::Text(pieces) = content {
                    block["text"] = pieces.concat().into();
                } else if let Content::Call { args, .. } = content {
                    block["input"] = args.clone();
                }
                message(model, json!([block]), Some(stop))
            }
            Protocol::Responses => response(model, "completed", json!([response_item(content)])),
            Protocol::GenerateContent => candidate(gemini_parts(content).concat().into(), true),
        }
    }

    /// The answer as server-sent events, in the frames between which a reply may pause.
    pub(super) fn frames(&self, content: &Content, model: &str) -> Vec<String> {
        match self.protocol {
            Protocol::Messages => messages_frames(content, model),
            Protocol::Responses => responses_frames(content, model),
            Protocol::GenerateContent => {
                let parts = gemini_parts(content);
                let last = parts.len() - 1;
                let frame = |(index, parts): (usize, Vec<Value>)| {
                    format!("data: {}\r\n\r\n", candidate(parts.into(), index == last))
                };
                parts.into_iter().enumerate().map(frame).collect()
            }
        }
    }
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

/// One frame for each delta; the first also opens the answer and the last closes it.
fn assemble(opening: &[Value], deltas: &[Value], closing: &[Value]) -> Vec<String> {
    let mut frames: Vec<String> = deltas.iter().map(event).collect();
    let events = |list: &[Value]| list.iter().map(event).collect::<String>();
    if frames.is_empty() {
        frames.push(String::new());
    }
    frames[0].insert_str(0, &events(opening));
    frames.last_mut().expect("at least one frame").push_str(&events(closing));
    frames
}

fn message(model: &str, content: Value, stop: Option<&str>) -> Value {
    json!({"id": "msg_mock", "type": "message", "role": "assistant", "model": model,
        "content": content, "stop_reason": stop, "stop_sequence": null,
        "usage": {"input_tokens": 10, "output_tokens": 5}})
}

/// The block as it is when it starts, and why the message stops.
fn message_block(content: &Content) -> (Value, &'static str) {
    match content {
        Content::Call { id, name, .. } => {
            (json!({"type": "tool_use", "id": id, "name": name, "input": {}}), "tool_use")
        }
        _ => (json!({"type": "text", "text": ""}), "end_turn"),
    }
}

fn messages_frames(content: &Content, model: &str) -> Vec<String> {
    let (block, stop) = message_block(content);
    let delta = |delta| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let deltas: Vec<Value> = match content {
        Content::Call { args, .. } => {
            vec![delta(json!({"type": "input_json_delta", "partial_json": args.to_string()}))]
        }
        Content::Text(pieces) => {
            pieces.iter().map(|text| delta(json!({"type": "text_delta", "text": text}))).collect()
        }
        Content::Refusal(_) => Vec::new(),
    };
    assemble(
        &[
            json!({"type": "message_start", "message": message(model, json!([]), None)}),
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
        ],
        &deltas,
        &[
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "usage": {"output_tokens": 5},
                "delta": {"stop_reason": stop, "stop_sequence": null}}),
            json!({"type": "message_stop"}),
        ],
    )
}

fn response(model: &str, status: &str, output: Value) -> Value {
    json!({"id": "resp_mock", "object": "response", "created_at": 0, "status": status,
        "model": model, "output": output, "usage": {"input_tokens": 10, "output_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 15}})
}

fn response_item(content: &Content) -> Value {
    match content {
        Content::Call { id, name, args, .. } if name == "tool_search" => {
            json!({"type": "tool_search_call", "call_id": id, "status": "completed",
                "execution": "client", "arguments": args})
        }
        Content::Call { id, namespace, name, args } => {
            let mut call = json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id,
                "name": name, "arguments": args.to_string(), "status": "completed"});
            if let Some(namespace) = namespace {
                call["namespace"] = namespace.as_str().into();
            }
            call
        }
        Content::Text(pieces) => {
            let text = json!({"type": "output_text", "text": pieces.concat(), "annotations": []});
            json!({"type": "message", "id": "msg_mock", "role": "assistant", "status": "completed",
                "content": [text]})
        }
        Content::Refusal(_) => Value::Null,
    }
}

fn responses_frames(content: &Content, model: &str) -> Vec<String> {
    let item = response_item(content);
    let mut added = item.clone();
    let mut deltas = Vec::new();
    if let Content::Text(pieces) = content {
        added["content"] = json!([]);
        let delta = |text| {
            json!({"type": "response.output_text.delta", "item_id": "msg_mock",
                "output_index": 0, "content_index": 0, "delta": text})
        };
        deltas.extend(pieces.iter().map(delta));
    }
    let started = response(model, "in_progress", json!([]));
    let completed = response(model, "completed", json!([item]));
    assemble(
        &[
            json!({"type": "response.created", "response": started}),
            json!({"type": "response.output_item.added", "output_index": 0, "item": added}),
        ],
        &deltas,
        &[
            json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
            json!({"type": "response.completed", "response": completed}),
        ],
    )
}

fn candidate(parts: Value, last: bool) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
    if last {
        candidate["finishReason"] = "STOP".into();
    }
    json!({"candidates": [candidate], "modelVersion": "mock", "responseId": "resp_mock",
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}})
}

/// The parts of each frame.
fn gemini_parts(content: &Content) -> Vec<Vec<Value>> {
    match content {
        Content::Text(pieces) => pieces.iter().map(|text| vec![json!({"text": text})]).collect(),
        Content::Call { id, name, args, .. } => {
            vec![vec![json!({"functionCall": {"id": id, "name": name, "args": args}})]]
        }
        Content::Refusal(_) => vec![Vec::new()],
    }
}
