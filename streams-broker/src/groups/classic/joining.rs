//! How a client becomes a member, again a member, or takes a static member's place.

use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

use super::member::{Join, JoinAnswer, JoinRefused, Member};
use super::rebalancing::supports;
use super::state::State;
use super::{ClassicGroup, Deadline};
use crate::clock::Millis;

impl ClassicGroup {
    /// JoinGroup. `fresh_id` is the id for a member that has none.
    pub(in crate::groups) fn join(
        &mut self,
        mut join: Join,
        fresh_id: String,
        now: Millis,
        answer: oneshot::Sender<JoinAnswer>,
    ) {
        if let Err(code) = self.check_join(&join) {
            return refuse_join(answer, code, join.member_id);
        }
        if !join.member_id.is_empty() {
            return self.join_again(join, now, answer);
        }
        if let Some(old) = join
            .instance
            .as_ref()
            .and_then(|instance| self.instances.get(instance))
            .cloned()
        {
            join.member_id = fresh_id;
            return self.replace_static(&old, join, now, answer);
        }
        if join.instance.is_none() && join.asks_for_id {
            self.pending
                .insert(fresh_id.clone(), now.saturating_add(join.session_timeout));
            return refuse_join(answer, ResponseError::MemberIdRequired, fresh_id);
        }
        join.member_id = fresh_id;
        self.add(join, now, answer);
    }

    fn check_join(&self, join: &Join) -> Result<(), ResponseError> {
        let names: Vec<_> = join
            .protocols
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        if names.is_empty() || join.protocol_type.is_empty() {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        if self.members.is_empty() {
            return Ok(());
        }
        let same_type = self.protocol_type.as_deref() == Some(join.protocol_type.as_str());
        let others: Vec<_> = self
            .members
            .values()
            .filter(|member| member.join.member_id != join.member_id)
            .collect();
        let common = |name: &&&str| others.iter().all(|member| supports(member, name));
        if !same_type || names.iter().find(common).is_none() {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// A client that has a member id already.
    fn join_again(&mut self, join: Join, now: Millis, answer: oneshot::Sender<JoinAnswer>) {
        let id = join.member_id.clone();
        if self.pending.remove(&id).is_some() {
            return self.add(join, now, answer);
        }
        if let Err(code) = self.check_identity(&id, join.instance.as_deref()) {
            return refuse_join(answer, code, id);
        }
        let unchanged = self
            .members
            .get(&id)
            .is_some_and(|member| member.join.protocols == join.protocols);
        let is_leader = self.leader.as_deref() == Some(id.as_str());
        let settled = match self.state {
            State::CompletingRebalance => unchanged,
            State::Stable => unchanged && !is_leader,
            State::PreparingRebalance | State::Empty => false,
        };
        if settled {
            // It has not got the answer that the others got.
            let _ = answer.send(Ok(self.joined(&id)));
            return self.heard_of(&id, now);
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.join = join;
            member.alive(now);
            member.refuse(ResponseError::UnknownMemberId);
            member.joining = Some(answer);
        }
        self.rebalance(now);
    }

    fn add(&mut self, join: Join, now: Millis, answer: oneshot::Sender<JoinAnswer>) {
        let id = join.member_id.clone();
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        let mut member = Member::new(join, now);
        member.joining = Some(answer);
        self.members.insert(id, member);
        if let Some(Deadline::Initial { grew, .. }) = &mut self.deadline {
            *grew = true;
        }
        self.rebalance(now);
    }

    /// A new client takes a static member's place: without a rebalance, if the group is stable and its protocol stays.
    fn replace_static(
        &mut self,
        old: &str,
        join: Join,
        now: Millis,
        answer: oneshot::Sender<JoinAnswer>,
    ) {
        let Some(mut member) = self.members.remove(old) else {
            return refuse_join(answer, ResponseError::UnknownMemberId, join.member_id);
        };
        member.refuse(ResponseError::FencedInstanceId);
        let id = join.member_id.clone();
        if let Some(instance) = &join.instance {
            self.instances.insert(instance.clone(), id.clone());
        }
        let was_leader = self.leader.as_deref() == Some(old);
        if was_leader {
            self.leader = Some(id.clone());
        }
        let may_skip = join.may_skip_assignment;
        member.join = join;
        member.alive(now);
        self.members.insert(id.clone(), member);
        if self.state == State::Stable && self.choose_protocol() == self.protocol {
            let mut joined = self.joined(&id);
            if was_leader && may_skip {
                joined.skip_assignment = true;
            } else if was_leader {
                // An older client would compute an assignment; told of another leader, it just asks for its own.
                joined.leader = old.to_owned();
                joined.members.clear();
            }
            self.record();
            let _ = answer.send(Ok(joined));
            return;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.joining = Some(answer);
        }
        self.rebalance(now);
    }
}

fn refuse_join(answer: oneshot::Sender<JoinAnswer>, code: ResponseError, member_id: String) {
    let _ = answer.send(Err(JoinRefused { code, member_id }));
}
