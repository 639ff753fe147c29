//! ApiVersions: what this broker speaks.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::{Context, SUPPORTED, code, text};
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

/// The features that are on, as in a new cluster of Apache Kafka 4.3: consumer groups, and transactions in which every end
/// raises the epoch.
const FEATURES: [(&str, i16); 2] = [("group.version", 1), ("transaction.version", 2)];

/// The version from which on features are told.
const KNOWS_FEATURES: i16 = 3;
/// The version from which on a feature may be off at level 0.
const KNOWS_LEVEL_0: i16 = 4;

pub(super) fn handle(
    _: &mut Broker,
    context: &Context<'_>,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    let knows_features = context.version >= KNOWS_FEATURES;
    let software = [
        &request.client_software_name,
        &request.client_software_version,
    ];
    if knows_features && !software.iter().all(|name| is_software(name)) {
        let code = ResponseError::InvalidRequest.code();
        return ApiVersionsResponse::default().with_error_code(code);
    }
    let response = ApiVersionsResponse::default()
        .with_error_code(code(context.check()))
        .with_api_keys(versions());
    if !knows_features {
        return response;
    }
    let supported = FEATURES.iter().map(|(name, highest)| {
        SupportedFeatureKey::default()
            .with_name(text(*name))
            .with_min_version(0)
            .with_max_version(*highest)
    });
    let finalized = FEATURES.iter().map(|(name, level)| {
        FinalizedFeatureKey::default()
            .with_name(text(*name))
            .with_min_version_level(*level)
            .with_max_version_level(*level)
    });
    let response = response
        .with_finalized_features_epoch(0)
        .with_finalized_features(finalized.collect());
    if context.version < KNOWS_LEVEL_0 {
        return response;
    }
    response.with_supported_features(supported.collect())
}

/// The answer, in version 0, to a version that is not known here.
pub(super) fn unsupported() -> ApiVersionsResponse {
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(versions())
}

/// Whether a client may call its software, or the version of it, so.
fn is_software(name: &str) -> bool {
    let bytes = name.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let ends = [bytes.first(), bytes.last()];
    bytes.iter().all(inner)
        && ends
            .into_iter()
            .all(|byte| byte.is_some_and(u8::is_ascii_alphanumeric))
}
