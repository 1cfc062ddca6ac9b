//! Both forms: what leaves, and what each kind of answer comes to.

use pointsman_core::model::{Role, Turn};
use pointsman_core::ports::Placement;
use serde_json::json;

use super::*;

fn settings(provider: Provider) -> Settings {
    Settings {
        provider,
        url: Settings::address(provider, Some("https://models.example.com/v1")).unwrap(),
        model: Some("m-1".to_owned()),
        embed: Some("e-1".to_owned()),
        at_once: 1,
        key: true,
        file: None,
    }
}

fn prompt(schema: Option<Value>) -> Prompt {
    let turn = |role, text: &str| Turn { role, text: text.to_owned() };
    Prompt {
        turns: vec![
            turn(Role::System, "Be short."),
            turn(Role::User, "When?"),
            turn(Role::Assistant, "At 9."),
            turn(Role::User, "And?"),
        ],
        schema,
        ..Prompt::default()
    }
}

fn body(request: &HttpRequest) -> Value {
    match &request.body {
        Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn answered(status: u16, text: impl Into<Vec<u8>>) -> HttpResponse {
    HttpResponse { status, body: text.into(), ..HttpResponse::default() }
}

fn read(provider: Provider, text: &str) -> Result<Answer, String> {
    read_chat(&settings(provider), false, &answered(200, text)).map_err(|e| e.code)
}

#[test]
fn a_question_in_both_forms() {
    let schema = json!({ "type": "object" });
    let request = chat(&settings(Provider::Openai), &prompt(Some(schema.clone())), 50, 9_000).unwrap();
    assert_eq!((request.url.as_str(), request.timeout), ("https://models.example.com/v1/chat/completions", Some(9_000)));
    assert_eq!(request.credentials[0].place, Placement::Bearer);
    let sent = body(&request);
    assert_eq!(sent["messages"][0], json!({ "role": "system", "content": "Be short." }));
    assert_eq!((&sent["max_completion_tokens"], &sent["store"], &sent["stream"]), (&json!(50), &json!(false), &json!(true)));
    assert_eq!(sent["response_format"]["json_schema"]["schema"], schema);
    assert_eq!((&sent["temperature"], sent.get("tools")), (&Value::Null, None));

    let home = body(&chat(&settings(Provider::Ollama), &prompt(None), 50, 1).unwrap());
    assert_eq!((&home["max_tokens"], home.get("store")), (&json!(50), None), "what runs at home knows no such flag");

    let request = chat(&settings(Provider::Anthropic), &prompt(Some(schema.clone())), 50, 1).unwrap();
    assert_eq!(request.url, "https://models.example.com/v1/messages");
    assert!(request.headers.contains(&("anthropic-version".to_owned(), "2023-06-01".to_owned())));
    assert_eq!(request.credentials[0].place, Placement::Header { name: "x-api-key".to_owned(), prefix: String::new() });
    let sent = body(&request);
    assert_eq!((&sent["system"], sent["messages"].as_array().unwrap().len()), (&json!("Be short."), 3));
    assert_eq!((&sent["tools"][0]["input_schema"], &sent["tool_choice"]["name"]), (&schema, &json!("answer")));

    let none = Settings { model: None, embed: None, key: false, ..settings(Provider::Ollama) };
    assert_eq!(chat(&none, &prompt(None), 1, 1).unwrap_err().code, "model.no_chat");
    assert_eq!(embed(&none, &[], 1).unwrap_err().code, "model.no_embed");
    assert_eq!(embed(&settings(Provider::Anthropic), &[], 1).unwrap_err().code, "model.no_embed");
}

const OPENAI: &str = concat!(
    ": a comment\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"From 9 \"},\"finish_reason\":null}]}\r\n\r\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"to 18\"},\"finish_reason\":null}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":4}}\n\n",
    "data: [DONE]\n\n",
);

const ANTHROPIC: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":2,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"From 9 to 18\"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":4}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

#[test]
fn an_answer_in_pieces_or_whole() {
    let good = Answer { text: "From 9 to 18".to_owned(), used: Some((7, 4)), truncated: false };
    assert_eq!(read(Provider::Openai, OPENAI), Ok(good.clone()));
    assert_eq!(read(Provider::Anthropic, ANTHROPIC), Ok(good.clone()));
    let whole = json!({ "choices": [{ "message": { "content": "From 9 to 18" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 4 } });
    assert_eq!(read(Provider::LlamaCpp, &whole.to_string()), Ok(good.clone()));
    let whole = json!({ "type": "message", "content": [{ "type": "text", "text": "From 9 to 18" }], "stop_reason": "end_turn",
        "usage": { "input_tokens": 7, "output_tokens": 4 } });
    assert_eq!(read(Provider::Anthropic, &whole.to_string()), Ok(good.clone()));
    assert_eq!(read(Provider::Openai, &OPENAI.replace("\"stop\"", "\"length\"")), Ok(Answer { truncated: true, ..good.clone() }));
    assert_eq!(read(Provider::Anthropic, &ANTHROPIC.replace("end_turn", "max_tokens")), Ok(Answer { truncated: true, ..good }));
    let tool = ANTHROPIC
        .replace("\"type\":\"text_delta\",\"text\":\"From 9 to 18\"", "\"partial_json\":\"{\\\"a\\\":1}\"")
        .replace("end_turn", "tool_use");
    let read = read_chat(&settings(Provider::Anthropic), true, &answered(200, tool.clone())).unwrap();
    assert_eq!(read.text, "{\"a\":1}");
    assert_eq!(read_chat(&settings(Provider::Anthropic), false, &answered(200, tool)).unwrap_err().code, "model.garbage");
}

#[test]
fn wherever_a_stream_is_cut_it_is_no_answer() {
    for (provider, whole) in [(Provider::Openai, OPENAI), (Provider::Anthropic, ANTHROPIC)] {
        // Behind the last brace or bracket nothing is missing but the empty line, without which an event does not count.
        for end in 0..whole.len() - 1 {
            let said = read(provider, &whole[..end]).unwrap_err();
            assert!(["model.truncated_stream", "model.garbage"].contains(&said.as_str()), "{provider:?} at {end}: {said}");
        }
        assert_eq!(read(provider, whole.trim_end_matches('\n')).unwrap_err(), "model.truncated_stream");
    }
}

#[test]
fn each_bad_answer_has_its_code() {
    let choice =
        |message: Value, finish: &str| json!({ "choices": [{ "message": message, "finish_reason": finish }] }).to_string();
    for (text, code) in [
        (String::new(), "model.garbage"),
        ("<html>502</html>".to_owned(), "model.garbage"),
        ("{\"choices\":".to_owned(), "model.garbage"),
        ("{}".to_owned(), "model.garbage"),
        ("data: {nothing\n\ndata: [DONE]\n\n".to_owned(), "model.garbage"),
        ("data: [DONE]\n\n".to_owned(), "model.truncated_stream"),
        (json!({ "error": { "message": "no" } }).to_string(), "model.garbage"),
        (choice(json!({ "content": "  " }), "stop"), "model.empty"),
        (choice(json!({ "content": 1 }), "stop"), "model.garbage"),
        (choice(json!({ "refusal": "I cannot" }), "stop"), "model.refused"),
        (choice(json!({ "content": "x" }), "content_filter"), "model.refused"),
        (choice(json!({ "content": "x", "tool_calls": [{ "function": { "name": "send_money" } }] }), "stop"), "model.garbage"),
    ] {
        assert_eq!(read(Provider::Openai, &text).unwrap_err(), code, "{text}");
    }
    assert_eq!(read(Provider::Anthropic, &ANTHROPIC.replace("end_turn", "refusal")).unwrap_err(), "model.refused");
    assert_eq!(read(Provider::Anthropic, "data: {\"type\":\"error\"}\n\n").unwrap_err(), "model.garbage");
    assert_eq!(
        read_chat(&settings(Provider::Openai), false, &answered(200, vec![0xff, 0xfe])).unwrap_err().code,
        "model.garbage"
    );
}

#[test]
fn a_status_says_whether_trying_again_helps() {
    for (status, code, class) in [
        (401, "model.key", Class::Permanent),
        (404, "model.request", Class::Permanent),
        (429, "model.rate_limited", Class::RateLimited),
        (503, "model.unwell", Class::Transient),
        (302, "model.request", Class::Permanent),
    ] {
        let mut response = answered(status, "Your question `my secret` is bad");
        response.headers = vec![("retry-after".to_owned(), "7".to_owned())];
        let failure = read_chat(&settings(Provider::Openai), false, &response).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.class, failure.retry_after), (code, class, Some(7_000)));
        assert!(!failure.message.contains("secret"));
    }
}

#[test]
fn vectors_belong_to_their_texts() {
    let vectors =
        |data: Value| read_embed(2, &answered(200, json!({ "data": data, "usage": { "prompt_tokens": 3 } }).to_string()));
    let one = |index: u32, vector: Value| json!({ "index": index, "embedding": vector });
    let good = vectors(json!([one(1, json!([3, 4])), one(0, json!([1, 2.5]))])).unwrap();
    assert_eq!(good, (vec![vec![1.0, 2.5], vec![3.0, 4.0]], Some(3)));
    for bad in [
        json!([one(0, json!([1]))]),
        json!([one(0, json!([1])), one(0, json!([1]))]),
        json!([one(0, json!([1])), one(2, json!([1]))]),
        json!([one(0, json!([1])), one(1, json!([1, 2]))]),
        json!([one(0, json!([])), one(1, json!([]))]),
        json!([one(0, json!(["x"])), one(1, json!([1]))]),
        json!("x"),
    ] {
        assert_eq!(vectors(bad.clone()).unwrap_err().code, "model.garbage", "{bad}");
    }
}
