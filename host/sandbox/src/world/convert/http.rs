//! Requests without secrets, and their answers. What a plugin may ask for is the broker's to judge; only the form is
//! changed here.

use pointsman_core::ports::{Body, CredentialUse, HttpRequest, HttpResponse, Method, Part, PartContent, Placement};

use super::{ForGuest, IntoCore, same_cases};
use crate::json::Unfit;
use crate::world::types;

same_cases! {
    types::Method = Method { Get, Head, Post, Put, Patch, Delete }
}

/// Name and value, as core has them.
type Pair = (String, String);

impl IntoCore<Pair> for types::Header {
    fn into_core(self) -> Result<Pair, Unfit> {
        Ok((self.name, self.value))
    }
}

impl ForGuest<types::Header> for Pair {
    fn for_guest(&self) -> types::Header {
        types::Header { name: self.0.clone(), value: self.1.clone() }
    }
}

impl IntoCore<Pair> for types::Field {
    fn into_core(self) -> Result<Pair, Unfit> {
        Ok((self.name, self.value))
    }
}

impl ForGuest<types::Field> for Pair {
    fn for_guest(&self) -> types::Field {
        types::Field { name: self.0.clone(), value: self.1.clone() }
    }
}

impl IntoCore<Part> for types::Part {
    fn into_core(self) -> Result<Part, Unfit> {
        Ok(Part {
            name: self.name,
            file_name: self.file_name,
            mime_type: self.mime_type,
            content: match self.content {
                types::PartContent::Text(text) => PartContent::Text(text),
                types::PartContent::Bytes(bytes) => PartContent::Bytes(bytes),
                types::PartContent::Blob(name) => PartContent::Blob(name),
            },
        })
    }
}

impl IntoCore<Body> for types::Body {
    fn into_core(self) -> Result<Body, Unfit> {
        Ok(match self {
            Self::None => Body::None,
            Self::Bytes(bytes) => Body::Bytes(bytes),
            Self::Blob(name) => Body::Blob(name),
            Self::Form(fields) => Body::Form(fields.into_core()?),
            Self::Multipart(parts) => Body::Multipart(parts.into_core()?),
        })
    }
}

impl IntoCore<CredentialUse> for types::Credential {
    fn into_core(self) -> Result<CredentialUse, Unfit> {
        Ok(CredentialUse {
            slot: self.slot,
            place: match self.place {
                types::Placement::Bearer => Placement::Bearer,
                types::Placement::BasicPassword(user) => Placement::BasicPassword { user: user.user },
                types::Placement::BasicUserName => Placement::BasicUserName,
                types::Placement::Header(place) => Placement::Header { name: place.name, prefix: place.prefix },
                types::Placement::Query(name) => Placement::Query(name),
                types::Placement::Path(marker) => Placement::Path(marker),
                types::Placement::FormField(name) => Placement::FormField(name),
                types::Placement::JsonField(pointer) => Placement::JsonField(pointer),
            },
        })
    }
}

impl IntoCore<HttpRequest> for types::HttpRequest {
    fn into_core(self) -> Result<HttpRequest, Unfit> {
        Ok(HttpRequest {
            method: self.method.into_core()?,
            url: self.url,
            headers: self.headers.into_core()?,
            body: self.body.into_core()?,
            credentials: self.credentials.into_core()?,
            keep_body: self.keep_body,
            timeout: self.timeout.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
        })
    }
}

impl From<HttpResponse> for types::HttpResponse {
    fn from(response: HttpResponse) -> Self {
        Self {
            status: response.status,
            headers: response.headers.into_iter().map(|(name, value)| types::Header { name, value }).collect(),
            body: response.body,
            kept: response.kept,
        }
    }
}
