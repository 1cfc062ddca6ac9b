//! The way in: the token in the path, the method, its parameters, faults on demand; answers in the Bot API's own form.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::body::{self, Params};
use super::send::{self, Draft};
use super::{Call, Telegram, account, messages};
use crate::fault::{Early, Fault, cut};

/// The Bot API takes files up to this size.
const BODY: usize = 50 << 20;

pub(super) fn router(emulator: Telegram) -> Router {
    Router::new().fallback(enter).layer(DefaultBodyLimit::max(BODY)).with_state(emulator)
}

/// What a call is answered when it is not carried out.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) description: String,
    pub(super) retry_after: Option<u32>,
}

impl Refusal {
    pub(super) fn bad(why: impl std::fmt::Display) -> Self {
        Self { status: 400, description: format!("Bad Request: {why}"), retry_after: None }
    }

    pub(super) fn of(status: u16, description: &str) -> Self {
        Self { status, description: description.to_owned(), retry_after: None }
    }

    fn ordered(status: u16, retry_after: Option<u32>) -> Self {
        let description = match (status, retry_after) {
            (400, _) => "Bad Request: a fault on demand".to_owned(),
            (401, _) => "Unauthorized".to_owned(),
            (403, _) => "Forbidden: bot was blocked by the user".to_owned(),
            (404, _) => "Not Found".to_owned(),
            (409, _) => "Conflict: a fault on demand".to_owned(),
            (429, Some(s)) => format!("Too Many Requests: retry after {s}"),
            (502, _) => "Bad Gateway".to_owned(),
            _ => "Internal Server Error".to_owned(),
        };
        Self { status, description, retry_after }
    }

    fn answer(&self) -> Response {
        let mut body = json!({ "ok": false, "error_code": self.status, "description": self.description });
        if let (Some(seconds), Some(body)) = (self.retry_after, body.as_object_mut()) {
            body.insert("parameters".to_owned(), json!({ "retry_after": seconds }));
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, axum::Json(body)).into_response()
    }
}

/// What a call that was carried out is answered.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) result: Value,
    pub(super) description: Option<&'static str>,
}

impl From<Value> for Done {
    fn from(result: Value) -> Self {
        Self { result, description: None }
    }
}

async fn enter(State(emulator): State<Telegram>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path();
    if let Some((token, file)) = path.strip_prefix("/file/bot").and_then(|rest| rest.split_once('/')) {
        return download(&emulator, token, file);
    }
    let Some((token, name)) = path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) else {
        return Refusal::of(404, "Not Found").answer();
    };
    if method != Method::POST && method != Method::GET {
        return Refusal::of(405, "Method Not Allowed").answer();
    }
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let read = body::read(uri.query(), kind, &body);
    let asked = Value::Object(read.as_ref().map(|params| params.fields.clone()).unwrap_or_default());
    let chat = asked.get("chat_id").and_then(body::number).map(|chat| chat.to_string());
    let authorized = right(&emulator, token);
    let record = |status: u16, id: Option<i64>| {
        let at_ms = emulator.0.desk.at_ms();
        let (method, body, chat) = (name.to_owned(), asked.clone(), chat.clone());
        emulator.0.bot.lock().calls.push(Call { method, body, status, id, chat, authorized, at_ms });
    };
    let refuse = |refusal: Refusal| {
        record(refusal.status, None);
        refusal.answer()
    };
    if !authorized {
        return refuse(Refusal::of(401, "Unauthorized"));
    }
    let params = match read {
        Ok(params) => params,
        Err(why) => return refuse(Refusal::bad(why)),
    };
    // What cannot be sent uses no fault up: a fault is for the next message that would have gone.
    let draft = match send::draft(&emulator, name, &params) {
        Some(Ok(draft)) => Some(draft),
        Some(Err(refusal)) => return refuse(refusal),
        None => None,
    };
    let faults = &emulator.0.desk.faults;
    let fault = match &draft {
        Some(draft) => faults.next_send(name, &draft.chat.to_string()),
        None => faults.next(name, false),
    };
    match early(fault.as_ref()).await {
        Some(Early::Refuse { status, retry_after, .. }) => return refuse(Refusal::ordered(status, retry_after)),
        Some(Early::Cut) => {
            record(0, None);
            return cut();
        }
        None => {}
    }
    let done = match draft {
        Some(draft) => carry_out(&emulator, draft, fault.as_ref(), record).await,
        None => match act(&emulator, name, &params) {
            Ok(done) => {
                record(if matches!(fault, Some(Fault::CutAfterDelivery)) { 0 } else { 200 }, None);
                done
            }
            Err(refusal) => return refuse(refusal),
        },
    };
    let answer = answered(done, matches!(fault, Some(Fault::Echo)).then(|| uri.path()));
    match fault {
        Some(fault) => fault.after(answer).await,
        None => answer,
    }
}

async fn early(fault: Option<&Fault>) -> Option<Early> {
    match fault {
        Some(fault) => fault.before().await,
        None => None,
    }
}

async fn carry_out(emulator: &Telegram, draft: Draft, fault: Option<&Fault>, record: impl Fn(u16, Option<i64>)) -> Done {
    let delay = emulator.0.desk.delay();
    if delay > Duration::ZERO && !matches!(fault, Some(Fault::Hang(_))) {
        tokio::time::sleep(delay).await;
    }
    let (id, message) = send::commit(emulator, draft);
    record(if matches!(fault, Some(Fault::CutAfterDelivery)) { 0 } else { 200 }, Some(id));
    message.into()
}

/// The answer; with `echo`, the secret path comes back in it.
fn answered(done: Done, echo: Option<&str>) -> Response {
    let mut body = json!({ "ok": true, "result": done.result });
    if let Some(body) = body.as_object_mut() {
        body.extend(done.description.map(|told| ("description".to_owned(), json!(told))));
        body.extend(echo.map(|path| ("debug".to_owned(), json!({ "path": path }))));
    }
    let mut answer = axum::Json(body).into_response();
    if let Some(seen) = echo.and_then(|path| path.parse().ok()) {
        answer.headers_mut().insert("x-seen", seen);
    }
    answer
}

/// Everything that sends no message. Names are taken in any case, as the real one does.
fn act(emulator: &Telegram, method: &str, params: &Params) -> Result<Done, Refusal> {
    match method.to_ascii_lowercase().as_str() {
        "getme" => Ok(account::me(emulator).into()),
        "setwebhook" => account::set_webhook(emulator, params),
        "deletewebhook" => Ok(account::delete_webhook(emulator, params)),
        "getwebhookinfo" => Ok(account::webhook_info(emulator).into()),
        "setmycommands" => account::set_commands(emulator, params),
        "getmycommands" => Ok(json!(emulator.commands()).into()),
        "getchat" => account::chat(emulator, params),
        "getfile" => account::file(emulator, params),
        "answercallbackquery" => account::answer_query(emulator, params),
        "sendchataction" => account::chat_action(emulator, params),
        "editmessagetext" => messages::edit(emulator, params, "text"),
        "editmessagecaption" => messages::edit(emulator, params, "caption"),
        "editmessagereplymarkup" => messages::edit(emulator, params, "reply_markup"),
        "deletemessage" => messages::delete(emulator, params),
        "setmessagereaction" => messages::react(emulator, params),
        _ => Err(Refusal::of(404, "Not Found: method not found")),
    }
}

fn right(emulator: &Telegram, token: &str) -> bool {
    body::unescaped(token) == emulator.0.config.bot_token
}

fn download(emulator: &Telegram, token: &str, path: &str) -> Response {
    if !right(emulator, token) {
        return Refusal::of(401, "Unauthorized").answer();
    }
    let bot = emulator.0.bot.lock();
    let Some(file) = bot.files.values().find(|file| file.path == path) else {
        return Refusal::of(404, "Not Found").answer();
    };
    // The real one tells no media type either.
    ([("content-type", "application/octet-stream")], Body::from(file.bytes.clone())).into_response()
}
