//! Jobs of every kind: what they ask for, and what they make of the answers.

use pointsman_sdk::channel::{
    Account, Answering, Edit, Exchange, Job, Operation, OtherOperation, Outcome, Peer, Post, Reacting, Turn,
};
use pointsman_sdk::prelude::*;

use super::{advance, begin};

mod message;

fn job(operation: Operation) -> Job {
    to("5", operation)
}

fn to(thread: &str, operation: Operation) -> Job {
    Job {
        key: "k1".into(),
        attempt: 1,
        at: 0,
        account: Account { id: "111".into(), config: "{}".into() },
        peer: Some(Peer { thread: thread.into(), window_open: true }),
        operation,
    }
}

fn exchange(turn: Result<Turn, Failure>) -> Exchange {
    match turn {
        Ok(Turn::Exchange(e)) => e,
        other => panic!("no exchange: {other:?}"),
    }
}

/// The method and its body.
fn call(e: &Exchange) -> (String, Value) {
    let body = match &e.request.body {
        Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap(),
        other => panic!("no JSON: {other:?}"),
    };
    (e.request.url.rsplit('/').next().unwrap().into(), body)
}

/// The calls of a message, each answered with the next id.
fn calls(job: &Job) -> Vec<(String, Value)> {
    let mut turn = begin(job);
    let mut all = Vec::new();
    while let Ok(Turn::Exchange(e)) = &turn {
        assert!(!e.repeatable, "a message is never repeated blindly");
        all.push(call(e));
        turn = advance(job, &e.state, &taken(all.len()));
    }
    let ids: Vec<String> = (1..=all.len()).map(|n| n.to_string()).collect();
    assert_eq!(turn, Ok(Turn::Done(Outcome::Created(ids))));
    all
}

fn sends(message: Message) -> Vec<(String, Value)> {
    calls(&job(Operation::Send(message)))
}

fn refused(message: Message) -> Failure {
    begin(&job(Operation::Send(message))).unwrap_err()
}

fn answer(status: u16, body: Value) -> HttpResponse {
    HttpResponse { status, headers: vec![], body: body.to_string().into_bytes(), kept: None }
}

fn good(result: Value) -> HttpResponse {
    answer(200, json!({ "ok": true, "result": result }))
}

fn taken(id: usize) -> HttpResponse {
    good(json!({ "message_id": id, "chat": { "id": 5 } }))
}

fn bad(code: u16, words: &str, parameters: Value) -> HttpResponse {
    answer(code, json!({ "ok": false, "error_code": code, "description": words, "parameters": parameters }))
}

fn file(kind: AttachmentKind, url: &str) -> Attachment {
    Attachment::new(kind, Media::Url(url.into()))
}

fn with(message: Message, extra: Value) -> Message {
    Message { extra: Some(extra.to_string()), ..message }
}

#[test]
fn a_long_text_goes_in_parts_and_gives_all_ids() {
    let long = "👍word ".repeat(1500);
    let all = sends(Message::text(long).answering("12").button("A", "a"));
    assert_eq!(all.len(), 3);
    let units = |v: &Value| v["text"].as_str().unwrap().encode_utf16().count();
    assert!(all.iter().all(|(method, body)| method == "sendMessage" && units(body) <= 4096));
    assert_eq!(all[0].1["reply_parameters"], json!({ "message_id": 12 }));
    assert_eq!((&all[1].1["reply_parameters"], &all[0].1["reply_markup"]), (&Value::Null, &Value::Null));
    assert_eq!(all[2].1["reply_markup"]["inline_keyboard"], json!([[{ "text": "A", "callback_data": "a" }]]));
    assert_eq!(refused(Message::text("w ".repeat(40_000))).code, "too-long");
}

#[test]
fn a_failure_after_the_first_part_is_not_repeated_blindly() {
    let job = job(Operation::Send(Message::text("word ".repeat(1000))));
    let first = exchange(begin(&job));
    let busy = bad(429, "Too Many Requests: retry after 3", json!({ "retry_after": 3 }));
    let failure = advance(&job, &first.state, &busy).unwrap_err();
    assert_eq!((failure.fault, failure.retry_after), (Fault::RateLimited, Some(3_000)));
    let second = exchange(advance(&job, &first.state, &taken(1)));
    assert_eq!(advance(&job, &second.state, &busy).unwrap_err().fault, Fault::Unknown);
    let blocked = bad(403, "Forbidden: bot was blocked by the user", json!({}));
    assert_eq!(advance(&job, &second.state, &blocked).unwrap_err().fault, Fault::Unreachable);
}

#[test]
fn broken_markup_goes_once_more_without() {
    let html = with(Message::text("<b>hi"), json!({ "parse_mode": "HTML" }));
    let broken = bad(400, "Bad Request: can't parse entities: Can't find end tag", json!({}));
    for operation in [Operation::Send(html.clone()), Operation::Edit(Edit { target: "3".into(), message: html.clone() })] {
        let job = job(operation);
        let first = exchange(begin(&job));
        assert_eq!(call(&first).1["parse_mode"], "HTML");
        let plain = exchange(advance(&job, &first.state, &broken));
        assert_eq!((&call(&plain).1["parse_mode"], &call(&plain).1["text"]), (&Value::Null, &json!("<b>hi")));
        assert!(matches!(advance(&job, &plain.state, &taken(3)), Ok(Turn::Done(_))));
        assert_eq!(advance(&job, &plain.state, &broken).unwrap_err().code, "entities", "once");
    }
    let plain = job(Operation::Send(Message::text("hi")));
    let first = exchange(begin(&plain));
    assert_eq!(advance(&plain, &first.state, &broken).unwrap_err().fault, Fault::Rejected);
    let caption = sends(with(
        Message::text("<b>x</b>").attach(file(AttachmentKind::Image, "https://x.example/a")),
        json!({ "parse_mode": "HTML" }),
    ));
    assert_eq!(caption[0].1["parse_mode"], "HTML");
}

#[test]
fn a_group_that_moved_is_followed_once() {
    let job = to("-9/4", Operation::Send(Message::text("word ".repeat(1000))));
    let first = exchange(begin(&job));
    let moved =
        bad(400, "Bad Request: group chat was upgraded to a supergroup chat", json!({ "migrate_to_chat_id": -1_009_i64 }));
    let again = exchange(advance(&job, &first.state, &moved));
    assert_eq!((&call(&again).1["chat_id"], &call(&again).1["message_thread_id"]), (&json!(-1009), &json!(4)));
    assert_eq!(call(&again).1["text"], call(&first).1["text"]);
    let second = exchange(advance(&job, &again.state, &taken(1)));
    assert_eq!(call(&second).1["chat_id"], -1009, "the rest follows");
    assert_eq!(advance(&job, &again.state, &moved).unwrap_err().fault, Fault::Unreachable, "once");
}

#[test]
fn topics_and_business_accounts_are_answered_where_they_asked() {
    let sent = |thread: &str| calls(&to(thread, Operation::Send(Message::text("hi")))).remove(0).1;
    assert_eq!(sent("-9/4"), json!({ "chat_id": -9, "message_thread_id": 4, "text": "hi" }));
    assert_eq!(sent("5@bc"), json!({ "chat_id": 5, "business_connection_id": "bc", "text": "hi" }));
    let once = |thread: &str, operation: Operation| begin(&to(thread, operation)).map(|t| call(&exchange(Ok(t))));
    assert_eq!(once("5@bc", Operation::MarkRead("3".into())).unwrap().0, "readBusinessMessage");
    assert_eq!(
        once("5@bc", Operation::Delete("3".into())).unwrap(),
        ("deleteBusinessMessages".into(), json!({ "business_connection_id": "bc", "message_ids": [3] }))
    );
    assert_eq!(once("ann", Operation::Typing).unwrap_err().code, "thread");
}

#[test]
fn messages_are_changed_taken_away_and_given_emojis() {
    let once = |operation: Operation| {
        let job = job(operation);
        let asked = exchange(begin(&job));
        assert!(asked.repeatable);
        assert_eq!(advance(&job, &asked.state, &good(json!(true))), Ok(Turn::Done(Outcome::Nothing)));
        call(&asked)
    };
    let edit = |message: Message| Operation::Edit(Edit { target: "3".into(), message });
    assert_eq!(
        once(edit(Message::text("new"))),
        ("editMessageText".into(), json!({ "chat_id": 5, "message_id": 3, "text": "new" }))
    );
    assert_eq!(once(edit(Message::default().button("A", "a"))).0, "editMessageReplyMarkup");
    assert_eq!(once(Operation::Delete("3".into())), ("deleteMessage".into(), json!({ "chat_id": 5, "message_id": 3 })));
    let react = |emoji: Option<&str>| {
        once(Operation::React(Reacting { target: "3".into(), emoji: emoji.map(Into::into) })).1["reaction"].clone()
    };
    assert_eq!(react(Some("👍")), json!([{ "type": "emoji", "emoji": "👍" }]));
    assert_eq!(react(Some("custom:55")), json!([{ "type": "custom_emoji", "custom_emoji_id": "55" }]));
    assert_eq!(react(None), json!([]));
    let popup = Operation::AnswerInteraction(Answering { answer: "77".into(), text: Some("Thanks".into()) });
    assert_eq!(once(popup), ("answerCallbackQuery".into(), json!({ "callback_query_id": "77", "text": "Thanks" })));
    assert_eq!(begin(&job(Operation::MarkRead("3".into()))), Ok(Turn::Done(Outcome::Nothing)), "a bot has no such mark");

    let refused = |operation: Operation| begin(&job(operation)).unwrap_err().code;
    assert_eq!(refused(edit(Message::default())), "empty");
    assert_eq!(refused(edit(Message::text("x".repeat(4097)))), "too-long");
    assert_eq!(refused(edit(Message::text("x").attach(file(AttachmentKind::Image, "https://x.example/a")))), "attachment");
    assert_eq!(refused(Operation::Delete("wamid.3".into())), "message-id");
    assert_eq!(refused(Operation::AnswerInteraction(Answering { answer: "7".into(), text: Some("x".repeat(201)) })), "too-long");
}

#[test]
fn what_is_as_it_should_be_is_done() {
    for (operation, words) in [
        (
            Operation::Edit(Edit { target: "3".into(), message: Message::text("same") }),
            "Bad Request: message is not modified: ...",
        ),
        (Operation::Delete("3".into()), "Bad Request: message to delete not found"),
    ] {
        let job = job(operation);
        let asked = exchange(begin(&job));
        assert_eq!(advance(&job, &asked.state, &bad(400, words, json!({}))), Ok(Turn::Done(Outcome::Nothing)));
        assert_eq!(
            advance(&job, &asked.state, &bad(400, "Bad Request: something else", json!({}))).unwrap_err().fault,
            Fault::Rejected
        );
    }
}

#[test]
fn the_webhook_is_set_with_a_secret_and_all_that_is_understood() {
    let on = exchange(begin(&job(Operation::Subscribe("https://hook.example/hooks/1".into()))));
    let (method, body) = call(&on);
    assert_eq!(
        (method.as_str(), &body["url"], &body["secret_token"]),
        ("setWebhook", &json!("https://hook.example/hooks/1"), &Value::Null)
    );
    let updates: Vec<&str> = body["allowed_updates"].as_array().unwrap().iter().map(|u| u.as_str().unwrap()).collect();
    for needed in
        ["message", "message_reaction", "my_chat_member", "callback_query", "edited_message", "channel_post", "business_message"]
    {
        assert!(updates.contains(&needed), "{needed}");
    }
    assert!(!updates.contains(&"inline_query"));
    let places: Vec<_> = on.request.credentials.iter().map(|c| (c.slot.as_str(), c.place.clone())).collect();
    assert_eq!(
        places,
        [("bot_token", Placement::Path("{bot_token}".into())), ("webhook_secret", Placement::JsonField("/secret_token".into()))]
    );
    let off = exchange(begin(&job(Operation::Unsubscribe)));
    assert_eq!((call(&off).0.as_str(), off.request.credentials.len(), off.repeatable), ("deleteWebhook", 1, true));
    assert_eq!(advance(&job(Operation::Unsubscribe), &off.state, &good(json!(true))), Ok(Turn::Done(Outcome::Nothing)));
}

#[test]
fn the_bot_says_who_it_is_and_a_bad_token_does_not() {
    let mut ask = job(Operation::Check);
    ask.peer = None;
    let asked = exchange(begin(&ask));
    assert_eq!(call(&asked).0, "getMe");
    let told = good(json!({ "id": 111, "is_bot": true, "first_name": "Corner Shop", "username": "shop_bot" }));
    let Ok(Turn::Done(Outcome::Profile(own))) = advance(&ask, &asked.state, &told) else { panic!() };
    assert_eq!(
        (own.id.as_str(), own.name.as_deref(), own.username.as_deref(), own.automated),
        ("111", Some("Corner Shop"), Some("shop_bot"), true)
    );
    for (code, words) in [(401, "Unauthorized"), (404, "Not Found")] {
        assert_eq!(advance(&ask, &asked.state, &bad(code, words, json!({}))).unwrap_err().fault, Fault::Unauthorized);
    }
    let profile = job(Operation::FetchProfile("5".into()));
    let asked = exchange(begin(&profile));
    assert_eq!(call(&asked), ("getChat".into(), json!({ "chat_id": 5 })));
    let told =
        good(json!({ "id": 5, "first_name": "Ann", "last_name": "Lee", "username": "ann", "type": "private", "bio": "b" }));
    let Ok(Turn::Done(Outcome::Profile(ann))) = advance(&profile, &asked.state, &told) else { panic!() };
    assert_eq!(
        (ann.name.as_deref(), ann.automated, ann.extra.as_deref()),
        (Some("Ann Lee"), false, Some(r#"{"bio":"b","type":"private"}"#))
    );
    assert_eq!(advance(&profile, &asked.state, &good(json!(true))).unwrap_err().code, "profile");
}

#[test]
fn a_file_is_fetched_in_two_requests() {
    let job = job(Operation::FetchMedia("AwAC".into()));
    let first = exchange(begin(&job));
    assert_eq!(call(&first), ("getFile".into(), json!({ "file_id": "AwAC" })));
    let second = exchange(advance(&job, &first.state, &good(json!({ "file_id": "AwAC", "file_path": "voice/file_1.oga" }))));
    assert_eq!((second.request.method, second.request.keep_body, second.repeatable), (Method::Get, true, true));
    assert_eq!(second.request.url, "https://api.telegram.org/file/bot{bot_token}/voice/file_1.oga");
    assert_eq!(second.request.credentials.len(), 1);
    let kept = HttpResponse { status: 200, headers: vec![], body: vec![], kept: Some("b1".into()) };
    let Ok(Turn::Done(Outcome::Media(file))) = advance(&job, &second.state, &kept) else { panic!() };
    assert_eq!((file.blob.as_str(), file.file_name.as_deref()), ("b1", Some("file_1.oga")));
    assert_eq!(advance(&job, &second.state, &answer(404, json!({}))).unwrap_err().code, "no-file");
    assert_eq!(advance(&job, &second.state, &HttpResponse { kept: None, ..kept }).unwrap_err().code, "no-blob");
    let elsewhere = good(json!({ "file_path": "../../bot{bot_token}/logOut" }));
    assert_eq!(advance(&job, &first.state, &elsewhere).unwrap_err().code, "file-path");
    assert_eq!(advance(&job, &first.state, &good(json!({}))).unwrap_err().code, "no-path");
    assert_eq!(advance(&job, &first.state, &bad(400, "Bad Request: file is too big", json!({}))).unwrap_err().code, "too-big");
}

#[test]
fn the_menu_of_commands_is_set() {
    let set = |input: Value| {
        let other = OtherOperation { name: "set_commands".into(), input: input.to_string() };
        begin(&job(Operation::Other(other))).map(|t| call(&exchange(Ok(t))))
    };
    let start = json!([{ "command": "start", "description": "Begin" }]);
    assert_eq!(set(json!({ "commands": start })).unwrap(), ("setMyCommands".into(), json!({ "commands": start })));
    assert_eq!(
        set(json!({ "commands": [], "language_code": "de", "scope": null })).unwrap().1,
        json!({ "commands": [], "language_code": "de" })
    );
    for wrong in [
        json!({}),
        json!({ "commands": "start" }),
        json!({ "commands": [{ "command": "/start", "description": "x" }] }),
        json!({ "commands": [{ "command": "Start", "description": "x" }] }),
        json!({ "commands": [{ "command": "x".repeat(33), "description": "x" }] }),
        json!({ "commands": [{ "command": "start", "description": "" }] }),
        json!({ "commands": vec![json!({ "command": "a", "description": "x" }); 101] }),
    ] {
        assert_eq!(set(wrong.clone()).unwrap_err().code, "commands", "{wrong}");
    }
}

#[test]
fn what_cannot_be_done_says_so() {
    let refused = |operation: Operation| begin(&job(operation)).unwrap_err();
    let template = Template { name: "t".into(), language: "en".into(), parameters: vec![], extra: None };
    assert_eq!(refused(Operation::SendTemplate(template)).fault, Fault::Unsupported);
    assert_eq!(refused(Operation::Poll(None)).fault, Fault::Unsupported);
    let post = Post { message: Message::text("x"), link: None, extra: None };
    assert_eq!(refused(Operation::Publish(post)).fault, Fault::Unsupported);
    let other = OtherOperation { name: "log_out".into(), input: "{}".into() };
    assert_eq!(refused(Operation::Other(other)).fault, Fault::Unsupported);
    assert_eq!(refused(Operation::Send(Message::default())).code, "empty");
    assert_eq!(refused(Operation::Send(Message::text(" \n"))).code, "empty");
    assert_eq!(refused(Operation::Send(Message::text("x").answering("wamid.1"))).code, "message-id");
    let mut peerless = job(Operation::Send(Message::text("hi")));
    peerless.peer = None;
    assert_eq!(begin(&peerless).unwrap_err().fault, Fault::Malformed);
    assert_eq!(advance(&peerless, "?", &taken(1)).unwrap_err().code, "state");
    let taken_without_id = job(Operation::Send(Message::text("hi")));
    let first = exchange(begin(&taken_without_id));
    assert_eq!(advance(&taken_without_id, &first.state, &good(json!(true))).unwrap_err().fault, Fault::Unknown);
}
