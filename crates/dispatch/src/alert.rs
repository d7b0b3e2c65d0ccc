//! A notice becomes an alert, or a repetition, update or end of one that is open.

use crate::bind::{self, Binding, Routed};
use crate::directory::Mode;
use crate::input::{Answer, Notice, Refusal, Taken, Ticket};
use crate::keys::Known;
use crate::record::{Actor, Alert, Code, End, Record, Roster, StepKey, Why};
use crate::{Dispatch, Effect};
use base::limits::OPEN_ALERTS_MAX;
use base::{AlertId, Name, Now, RecordId};
use std::sync::Arc;

/// Bindings kept at once. Past it all are dropped and made again as needed: only notices that each name
/// other people come this far.
const BINDINGS_MAX: usize = 1000;

impl Dispatch {
    /// Takes a notice.
    pub(crate) fn raise(&mut self, now: Now, ticket: Ticket, notice: Notice, out: &mut Vec<Effect>) {
        match self.take(now, notice, out) {
            Ok(answer) => {
                // A repetition of what a peer accepted is no promise before we have it on disk as well.
                let about = match &answer {
                    Answer::Taken { alert: Some((alert, _)), .. } if alert.0.log != self.me => Some(alert.0),
                    Answer::Taken { .. }
                    | Answer::Done { .. }
                    | Answer::Silenced { .. }
                    | Answer::Refused(_) => None,
                };
                self.answer(about.filter(|id| self.state.applied(id.log) > id.seq), ticket, answer);
            }
            Err(refusal) => Self::refuse(ticket, refusal, out),
        }
    }

    pub(crate) fn take(
        &mut self,
        now: Now,
        notice: Notice,
        out: &mut Vec<Effect>,
    ) -> Result<Answer, Refusal> {
        if self.is_bystander() {
            return Err(Refusal::Witness);
        }
        if let Some(known) = self.known(&notice)? {
            return Ok(self.taken(Taken::Repeated, known.alert, known.code));
        }
        let same = notice.fingerprint.and_then(|fingerprint| self.same(fingerprint));
        match (same, notice.resolved) {
            (Some(alert), true) => Ok(self.resolve(now, alert, &notice.source, out)),
            (None, true) => {
                Ok(Answer::Taken { taken: Taken::NothingOpen, alert: None, recipients: 0, copies: 0 })
            }
            (Some(alert), false) => Ok(self.repeat(now, alert, notice, out)),
            (None, false) => self.accept(now, notice, out),
        }
    }

    /// What the notice's idempotency key led to before.
    fn known(&self, notice: &Notice) -> Result<Option<Known>, Refusal> {
        let Some((key, digest)) = &notice.key else { return Ok(None) };
        match self.keys.find(&notice.source, key) {
            Some(known) if known.digest != *digest => Err(Refusal::KeyReused),
            known => Ok(known.copied()),
        }
    }

    fn taken(&self, taken: Taken, alert: AlertId, code: Code) -> Answer {
        let recipients = self.runs.get(&alert).map_or(0, |run| run.first.len());
        Answer::Taken { taken, alert: Some((alert, code)), recipients, copies: 0 }
    }

    fn resolve(&mut self, now: Now, alert: AlertId, source: &Name, out: &mut Vec<Effect>) -> Answer {
        let by = Actor { who: format!("source:{source}").into(), ..Actor::ourselves() };
        let code = self.state.open.get(&alert).map(|open| open.alert.code);
        self.end(now, alert, End { at: now.wall, why: Why::Resolved, by }, out);
        Answer::Taken {
            taken: Taken::Resolved,
            alert: code.map(|code| (alert, code)),
            recipients: 0,
            copies: 0,
        }
    }

    /// The same trouble again. Nothing is appended unless the source has something new to say: Prometheus
    /// posts every firing alert every minute.
    fn repeat(&mut self, now: Now, alert: AlertId, notice: Notice, out: &mut Vec<Effect>) -> Answer {
        let Some(open) = self.state.open.get(&alert) else {
            return Answer::Taken { taken: Taken::NothingOpen, alert: None, recipients: 0, copies: 0 };
        };
        let code = open.alert.code;
        let content = notice.content.standing_since(open.content());
        if **open.content() != content {
            self.append(now, Record::Update { alert, content: Arc::new(content), silent: false }, out);
            self.look_again(now, alert);
        }
        self.heard(now, alert, notice.stands_for);
        self.taken(Taken::Repeated, alert, code)
    }

    fn accept(&mut self, now: Now, notice: Notice, out: &mut Vec<Effect>) -> Result<Answer, Refusal> {
        if let Some(why) = &self.disk_full {
            return Err(Refusal::DiskFull { why: Arc::clone(why) });
        }
        if self.state.open.len() >= OPEN_ALERTS_MAX {
            self.tell_of_limit(now, out);
            return Err(Refusal::TooManyOpen { limit: OPEN_ALERTS_MAX });
        }
        let token = self.state.edition.directory.tokens.get(&notice.source);
        if token.is_some_and(|token| token.refuse_solo) && !self.cluster.has_mirror() {
            return Err(Refusal::Solo);
        }
        self.rules.follow(&self.state.edition.directory);
        let routed = bind::route(&self.rules, &self.almanac.calendars, &notice)?;
        let roster = self.bind(now, &routed.binding, out)?;
        // Where nothing follows the first step, that step must have somebody to tell.
        let first = roster.steps.first().is_some_and(|step| !step.is_empty());
        let further = roster.policy.mode != Mode::None && bind::escalates(&roster.policy, &notice.content);
        if !first && !further {
            return Err(Refusal::ReachesNobody);
        }
        let stands_for = notice.stands_for;
        let (alert, code) = self.open(now, notice, &routed, &roster, out);
        if self.is_through(alert) {
            self.tell_if_unreached(now, alert, out);
        }
        self.heard(now, alert, stands_for);
        self.note_held(now, &[alert], out);
        Ok(self.taken(Taken::New, alert, code))
    }

    /// The roster of a binding, made if it is new.
    pub(crate) fn bind(
        &mut self,
        now: Now,
        binding: &Binding,
        out: &mut Vec<Effect>,
    ) -> Result<Arc<Roster>, Refusal> {
        if let Some(roster) = self.bindings.get(binding) {
            return Ok(Arc::clone(roster));
        }
        let roster = Arc::new(bind::roster(&self.state.edition.directory, binding)?);
        if self.bindings.len() >= BINDINGS_MAX {
            self.bindings.clear();
            self.forget_rosters(now, out);
        }
        self.bindings.insert(binding.clone(), Arc::clone(&roster));
        Ok(roster)
    }

    /// Writes the acceptance, and the roster before it where it is not yet in our log: whoever has the one
    /// has the other.
    pub(crate) fn open(
        &mut self,
        now: Now,
        notice: Notice,
        routed: &Routed,
        roster: &Arc<Roster>,
        out: &mut Vec<Effect>,
    ) -> (AlertId, Code) {
        if self.rosters_written.insert(roster.id) {
            self.append(now, Record::Roster(Arc::clone(roster)), out);
        }
        let system = routed.binding.system;
        let flapping = if system { None } else { self.flapping(now, notice.fingerprint, &routed.route) };
        let open_codes = &self.open_codes;
        let code = self.codes.next(now, |code| open_codes.contains_key(&code));
        let first = StepKey::default();
        let withheld = self.withheld(roster, first, &notice.content, system);
        let alert = Arc::new(Alert {
            source: notice.source,
            key: notice.key,
            fingerprint: notice.fingerprint,
            escalates: bind::escalates(&roster.policy, &notice.content),
            content: Arc::new(notice.content),
            code,
            route: routed.route.clone(),
            roster: roster.id,
            ttl: routed.ttl,
            system,
            on_call: self.shifts(roster, first, system),
            withheld,
            flapping,
            choices: notice.choices,
        });
        let id: RecordId = self.append(now, Record::Accept(Arc::clone(&alert)), out);
        let id = AlertId(id);
        if let Some((key, digest)) = &alert.key {
            self.keys.insert(now, &alert.source, key, Known { digest: *digest, alert: id, code });
        }
        self.begin(now, id, Arc::clone(roster));
        self.await_mirror(now, id);
        (id, code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Input;
    use crate::directory::Target;
    use crate::fixture::{core, directory, handle, name, notice, now};

    #[test]
    fn with_too_many_open_a_notice_is_refused_and_the_operators_are_told_once() {
        let mut book = directory(&[("anna", &["mail:anna@x"])], &[]);
        book.settings.operators = vec![Target::Named(name("anna"))];
        let mut core = core(book);
        let send = |core: &mut Dispatch, number| {
            let notice = Box::new(notice("pump 3 stopped", &["anna"]));
            handle(core, now(0), Input::Notice { ticket: Ticket(number), notice })
        };
        send(&mut core, 1);
        let (_, like) = core.open_after(None).next().expect("it is open");
        let like = like.clone();
        for seq in 0..OPEN_ALERTS_MAX as u64 - 1 {
            let id = RecordId { log: core.me, seq: 1_000_000 + seq };
            core.state.open.insert(AlertId(id), like.clone());
        }
        let refused = |effects: &[Effect]| {
            let refusal = Refusal::TooManyOpen { limit: OPEN_ALERTS_MAX };
            effects.iter().any(|effect| {
                matches!(effect, Effect::Answer { answer: Answer::Refused(why), .. } if *why == refusal)
            })
        };
        let told = |effects: &[Effect]| {
            let system = |effect: &&Effect| {
                matches!(effect, Effect::Append { entry, .. }
                    if matches!(&entry.record, Record::Accept(alert) if alert.system))
            };
            effects.iter().filter(system).count()
        };
        let first = send(&mut core, 2);
        assert!(refused(&first));
        let second = send(&mut core, 3);
        assert!(refused(&second));
        assert_eq!((told(&first), told(&second)), (1, 0));
    }
}
