//! `/api/v1`: questions to the house, answered as JSON. Nothing here changes anything.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::Room;
use crate::ports::Question;
use crate::problem::Problem;

type Answer = Result<Json<Value>, Problem>;
type Asked = State<Arc<Room>>;

/// Rows in a list, unless asked for another number.
const ROWS: u32 = 50;
/// Weeks of a trend, unless asked for another number.
const WEEKS: u32 = 8;
/// Rows in a list at most.
const MOST: u32 = 200;

pub(super) fn router() -> Router<Arc<Room>> {
    Router::new()
        .route("/api/v1/runs", get(runs))
        .route("/api/v1/runs/{id}", get(run))
        .route("/api/v1/conversations", get(conversations))
        .route("/api/v1/conversations/{id}/messages", get(messages))
        .route("/api/v1/books", get(books))
        .route("/api/v1/parked", get(parked))
        .route("/api/v1/channels", get(channels))
        .route("/api/v1/workflows", get(workflows))
        .route("/api/v1/trends", get(trends))
        .route("/api/v1/spend", get(spend))
}

/// What a list may be asked for.
#[derive(Debug, Deserialize)]
struct Asking {
    limit: Option<String>,
    conversation: Option<String>,
    weeks: Option<String>,
}

impl Asking {
    fn rows(&self) -> Result<u32, Problem> {
        number("limit", self.limit.as_deref(), ROWS, MOST)
    }

    fn weeks(&self) -> Result<u32, Problem> {
        number("weeks", self.weeks.as_deref(), WEEKS, MOST)
    }
}

fn number(what: &str, asked: Option<&str>, usual: u32, most: u32) -> Result<u32, Problem> {
    let Some(asked) = asked else { return Ok(usual) };
    let number = asked.parse().ok().filter(|number| (1..=most).contains(number));
    let wrong =
        || Problem::new(StatusCode::BAD_REQUEST, format!("{what}.invalid"), format!("{what} is a number from 1 to {most}"));
    number.ok_or_else(wrong)
}

async fn ask(room: &Room, question: Question) -> Answer {
    Ok(Json(room.house.ask(question).await?))
}

async fn runs(State(room): Asked, Query(asking): Query<Asking>) -> Answer {
    let limit = asking.rows()?;
    ask(&room, Question::Runs { conversation: asking.conversation, limit }).await
}

async fn run(State(room): Asked, Path(id): Path<String>) -> Answer {
    ask(&room, Question::Run(id)).await
}

async fn conversations(State(room): Asked, Query(asking): Query<Asking>) -> Answer {
    ask(&room, Question::Conversations { limit: asking.rows()? }).await
}

async fn messages(State(room): Asked, Path(conversation): Path<String>, Query(asking): Query<Asking>) -> Answer {
    ask(&room, Question::Messages { conversation, limit: asking.rows()? }).await
}

async fn books(State(room): Asked) -> Answer {
    ask(&room, Question::Books).await
}

async fn parked(State(room): Asked) -> Answer {
    ask(&room, Question::Parked).await
}

async fn channels(State(room): Asked) -> Answer {
    ask(&room, Question::Channels).await
}

async fn workflows(State(room): Asked) -> Answer {
    ask(&room, Question::Workflows).await
}

async fn trends(State(room): Asked, Query(asking): Query<Asking>) -> Answer {
    ask(&room, Question::Trends { weeks: asking.weeks()? }).await
}

async fn spend(State(room): Asked, Query(asking): Query<Asking>) -> Answer {
    ask(&room, Question::Spend { limit: asking.rows()? }).await
}
