//! The server that the conformance suite wants for its scenarios of tools, prompts and resources of its own naming, over
//! the transport of the relay.

#![expect(deprecated, reason = "the suite asks for what later versions of the protocol leave out")]

use std::time::Duration;

use backchannel::relay::mcp::service;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
    CreateMessageRequestParams, ElicitRequest, ElicitRequestParams, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, Implementation, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, LoggingMessageNotificationParam, PaginatedRequestParams,
    ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    ServerCapabilities, ServerConfig, ServerRequest, SetLevelRequestParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;

/// One red pixel, and a tenth of a second of nothing.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

#[derive(Clone)]
struct Fixture;

/// A server on loopback; its URL. It ends with the process.
pub fn start() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (service, _) = service(|| Fixture, 1 << 20, Some(&[]));
            let router = axum::Router::new().route_service("/mcp", service);
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
    });
    format!("http://{address}/mcp")
}

/// A value as the type that the protocol's library has for it.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn text(text: impl Into<String>) -> Value {
    json!({"content": [{"type": "text", "text": text.into()}]})
}

fn image() -> Value {
    json!({"type": "image", "data": PNG, "mimeType": "image/png"})
}

fn failed(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

async fn log(context: &RequestContext<RoleServer>) -> Result<Value, ErrorData> {
    for line in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        let line: LoggingMessageNotificationParam = typed(json!({"level": "info", "data": line}))?;
        context.peer.notify_logging_message(line).await.map_err(failed)?;
        sleep(Duration::from_millis(50)).await;
    }
    Ok(text("logged"))
}

async fn progress(context: &RequestContext<RoleServer>) -> Result<Value, ErrorData> {
    if let Some(token) = context.meta.get_progress_token() {
        for done in [0, 50, 100] {
            let told = json!({"progressToken": token, "progress": done, "total": 100});
            let told: ProgressNotificationParam = typed(told)?;
            context.peer.notify_progress(told).await.map_err(failed)?;
            sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(text("done"))
}

async fn sample(context: &RequestContext<RoleServer>, prompt: &Value) -> Result<Value, ErrorData> {
    let asked = json!({"messages": [{"role": "user", "content": {"type": "text", "text": prompt}}], "maxTokens": 100});
    let asked: CreateMessageRequestParams = typed(asked)?;
    let answer = context.peer.create_message(asked).await.map_err(failed)?;
    Ok(text(format!("LLM response: {}", serde_json::to_value(answer).map_err(failed)?)))
}

async fn elicit(
    context: &RequestContext<RoleServer>,
    message: &Value,
    properties: Value,
    required: &[&str],
) -> Result<Value, ErrorData> {
    let schema = json!({"type": "object", "properties": properties, "required": required});
    let asked: ElicitRequestParams =
        typed(json!({"mode": "form", "message": message, "requestedSchema": schema}))?;
    let asked = ServerRequest::ElicitRequest(ElicitRequest::new(asked));
    let answer = context.peer.send_request(asked).await.map_err(failed)?;
    Ok(text(format!("User response: {}", serde_json::to_value(answer).map_err(failed)?)))
}

fn defaults() -> Value {
    json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true}
    })
}

fn enums() -> Value {
    let titled = json!([{"const": "value1", "title": "First"}, {"const": "value2", "title": "Second"}]);
    json!({
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}}
    })
}

async fn call(
    name: &str,
    arguments: &Value,
    context: &RequestContext<RoleServer>,
) -> Result<Value, ErrorData> {
    let ask = json!("Please answer");
    Ok(match name {
        "test_simple_text" => text("This is a simple text response for testing."),
        "test_image_content" => json!({"content": [image()]}),
        "test_audio_content" => json!({"content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}]}),
        "test_embedded_resource" => json!({"content": [{"type": "resource", "resource": {
            "uri": "test://embedded-resource", "mimeType": "text/plain", "text": "This is an embedded resource content."}}]}),
        "test_multiple_content_types" => json!({"content": [
            {"type": "text", "text": "Multiple content types test:"}, image(),
            {"type": "resource", "resource": {"uri": "test://mixed-content-resource",
                "mimeType": "application/json", "text": "{\"test\":\"data\",\"value\":123}"}}]}),
        "test_tool_with_logging" => log(context).await?,
        "test_error_handling" => json!({"isError": true, "content": [{"type": "text",
            "text": "This tool intentionally returns an error for testing"}]}),
        "test_tool_with_progress" => progress(context).await?,
        "test_sampling" => sample(context, &arguments["prompt"]).await?,
        "test_elicitation" => {
            let properties = json!({"username": {"type": "string"}, "email": {"type": "string"}});
            elicit(context, &arguments["message"], properties, &["username", "email"]).await?
        }
        "test_elicitation_sep1034_defaults" => elicit(context, &ask, defaults(), &[]).await?,
        "test_elicitation_sep1330_enums" => elicit(context, &ask, enums(), &[]).await?,
        "test_reconnection" => {
            sleep(Duration::from_millis(100)).await;
            text("Reconnection test completed successfully")
        }
        _ => return Err(ErrorData::invalid_params("unknown tool", None)),
    })
}

fn prompt(name: &str, arguments: &Value) -> Result<Value, ErrorData> {
    let said = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let words = |words: String| said(json!({"type": "text", "text": words}));
    Ok(match name {
        "test_simple_prompt" => words("This is a simple prompt for testing.".to_owned()),
        "test_prompt_with_arguments" => words(format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            arguments["arg1"].as_str().unwrap_or_default(),
            arguments["arg2"].as_str().unwrap_or_default()
        )),
        "test_prompt_with_embedded_resource" => said(json!({"type": "resource", "resource": {
            "uri": arguments["resourceUri"], "mimeType": "text/plain", "text": "Embedded resource content for testing."}})),
        "test_prompt_with_image" => said(image()),
        _ => return Err(ErrorData::invalid_params("unknown prompt", None)),
    })
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities: ServerCapabilities = serde_json::from_value(json!({
            "tools": {}, "prompts": {}, "resources": {"subscribe": true}, "logging": {}, "completions": {}
        }))
        .unwrap();
        ServerConfig::new(capabilities).with_server_info(Implementation::new("fixture", "0"))
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "$defs": {"address": {"type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
            "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
            "additionalProperties": false
        });
        let tool =
            json!({"name": "json_schema_2020_12_tool", "description": "A schema", "inputSchema": schema});
        let plain =
            json!({"name": "test_simple_text", "description": "Text", "inputSchema": {"type": "object"}});
        typed(json!({"tools": [tool, plain]}))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.map_or(Value::Null, Value::Object);
        let result: rmcp::model::CallToolResult = typed(call(&request.name, &arguments, &context).await?)?;
        Ok(result.into())
    }

    async fn set_level(
        &self,
        _request: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        typed(json!({"completion": {"values": ["test"], "hasMore": false}}))
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        typed(json!({"prompts": [{"name": "test_simple_prompt", "description": "Simple"},
            {"name": "test_prompt_with_arguments", "description": "Two", "arguments": [
                {"name": "arg1", "description": "One", "required": true},
                {"name": "arg2", "description": "Two", "required": true}]}]}))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.map_or(Value::Null, Value::Object);
        let result: GetPromptResult = typed(prompt(&request.name, &arguments)?)?;
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        typed(json!({"resources": [{"uri": "test://static-text", "name": "text"},
            {"uri": "test://static-binary", "name": "binary"}]}))
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        typed(
            json!({"resourceTemplates": [{"uriTemplate": "test://template/{id}/data", "name": "template"}]}),
        )
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri.as_str();
        let content = match uri {
            "test://static-text" => json!({"uri": uri, "mimeType": "text/plain",
                "text": "This is the content of the static text resource."}),
            "test://static-binary" => json!({"uri": uri, "mimeType": "image/png", "blob": PNG}),
            "test://template/123/data" => json!({"uri": uri, "mimeType": "application/json",
                "text": "{\"id\":\"123\",\"templateTest\":true,\"data\":\"Data for ID: 123\"}"}),
            _ => return Err(ErrorData::resource_not_found("unknown", None)),
        };
        let result: ReadResourceResult = typed(json!({"contents": [content]}))?;
        Ok(result.into())
    }
}
