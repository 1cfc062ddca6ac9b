//! Questions about the host go on to its private port, answers come back as they are. Only `GET /api/v1/..` is passed on,
//! which changes nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode, Uri};

use super::Room;
use crate::problem::{MEDIA_TYPE, Problem};

pub(super) async fn on(State(room): State<Arc<Room>>, uri: Uri) -> Response {
    let down = || {
        let words = "the host is down just now; what contacts write meanwhile is delivered again when it is back";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "demo.host_down", words).into_response()
    };
    let (Some(host), Some(path)) = (room.stage.host(), uri.path_and_query()) else { return down() };
    match room.door.get(&format!("http://{host}{path}")).await {
        Ok((status, body)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let mut response = (status, Json(body)).into_response();
            if !status.is_success() {
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
            }
            response
        }
        Err(shut) => {
            tracing::debug!(%shut, "the host did not answer");
            down()
        }
    }
}
