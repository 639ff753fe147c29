//! ApiVersions: what this broker speaks.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::{Context, SUPPORTED};
use crate::broker::Broker;

fn versions() -> Vec<ApiVersion> {
    let version = |&(key, min, max): &(ApiKey, i16, i16)| {
        // As Apache Kafka does: librdkafka takes a broker without Produce 0 for one that cannot compress.
        let min = if key == ApiKey::Produce { 0 } else { min };
        ApiVersion::default()
            .with_api_key(key as i16)
            .with_min_version(min)
            .with_max_version(max)
    };
    let mut versions: Vec<_> = SUPPORTED.iter().map(version).collect();
    versions.sort_by_key(|version| version.api_key);
    versions
}

pub(super) fn handle(
    _: &mut Broker,
    _: &Context<'_>,
    _: ApiVersionsRequest,
) -> ApiVersionsResponse {
    ApiVersionsResponse::default().with_api_keys(versions())
}

/// The answer, in version 0, to a version that is not known here.
pub(super) fn unsupported() -> ApiVersionsResponse {
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(versions())
}
