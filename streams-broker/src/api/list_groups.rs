//! ListGroups, by state and type where the version has that.

use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};

use super::{Context, text};
use crate::broker::Broker;

pub(super) fn handle(
    broker: &mut Broker,
    context: &Context<'_>,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    if let Err(error) = context.check() {
        return ListGroupsResponse::default().with_error_code(error.code());
    }
    let wanted = |filter: &[kafka_protocol::protocol::StrBytes], word: &str| {
        filter.is_empty()
            || filter
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(word))
    };
    let groups = broker.groups.iter();
    let groups = groups.filter(|(_, group)| wanted(&request.states_filter, group.state_name()));
    let groups = groups
        .filter(|(_, group)| wanted(&request.types_filter, group.type_name()))
        .map(|(id, group)| {
            let listed = ListedGroup::default()
                .with_group_id(GroupId(text(id)))
                .with_protocol_type(text(group.protocol_type()));
            let listed = if context.version >= 4 {
                listed.with_group_state(text(group.state_name()))
            } else {
                listed
            };
            if context.version >= 5 {
                listed.with_group_type(text(group.type_name()))
            } else {
                listed
            }
        });
    ListGroupsResponse::default().with_groups(groups.collect())
}
