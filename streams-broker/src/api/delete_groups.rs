//! DeleteGroups: empty ones, with their offsets.

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::{Context, code};
use crate::broker::Broker;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let results = request.groups_names.into_iter().map(|id| {
        let result = context.check().and_then(|()| broker.groups.delete(&id));
        DeletableGroupResult::default()
            .with_group_id(id)
            .with_error_code(code(result))
    });
    DeleteGroupsResponse::default().with_results(results.collect())
}
