//! What goes wrong, and how it is mended.

use crate::disk::Disk;
use crate::history::{Fact, Upset};
use crate::net::Ix;
use crate::profile::Fault;
use crate::world::{Event, World};
use base::RecordId;
use dispatch::Input;

impl World {
    /// The next fault.
    pub(crate) fn fail(&mut self) {
        if self.healed {
            return;
        }
        let (least, most) = self.plan.profile.gap;
        self.after(least, most, Event::Fail);
        let Some(fault) = self.rng.pick(self.plan.profile.faults) else { return };
        let ix = self.rng.below(self.plan.nodes);
        match fault {
            Fault::Kill => self.kill(ix),
            Fault::PowerOff => self.power_off(ix),
            Fault::Blackout => (0..self.plan.nodes).for_each(|ix| self.power_off(ix)),
            Fault::Cut => self.cut_some(ix, false),
            Fault::CutOneWay => self.cut_some(ix, true),
            Fault::BadLink => {
                if self.net.cut.is_empty() {
                    self.cut(ix, (ix + 1) % self.plan.nodes);
                }
            }
            Fault::Reset => {
                for peer in (0..self.plan.nodes).filter(|peer| *peer != ix) {
                    self.reset(ix, peer);
                }
            }
            Fault::Pause => self.pause(ix),
            Fault::Wipe => self.wipe(ix),
            Fault::Hang => {
                let until = self.now + self.rng.between(500, 5000);
                self.tell(|world| format!("{} disk hangs until {until}", world.name(ix)));
                self.machine_mut(ix).hangs_until = until;
            }
            Fault::Full => self.fill(ix),
            Fault::Rot => {
                let which = self.rng.below(10_000);
                let others: Vec<Ix> = (0..self.plan.nodes).filter(|other| *other != ix).collect();
                let row = self.machine(ix).disk.nth(which);
                // What can be read nowhere else nobody can fetch again.
                let spare = |id: &RecordId| others.iter().any(|at| self.machine(*at).disk.reads(*id));
                if let Some(id) = row.filter(spare) {
                    self.machine_mut(ix).disk.rot(id);
                    self.tell(|world| format!("{} {} rots", world.name(ix), world.record(id)));
                }
            }
            Fault::Jump if !self.machine(ix).is_up() => (),
            Fault::Jump => {
                let by = i64::try_from(self.rng.between(0, 172_800_000)).unwrap_or(0) - 86_400_000;
                self.tell(|world| format!("{} wall clock jumps by {by} ms", world.name(ix)));
                let noticed = self.rng.per_mille(700);
                self.history.upsets.insert(Upset::Jumped);
                let machine = self.machine_mut(ix);
                machine.ahead += by;
                machine.suspect |= noticed;
            }
        }
    }

    fn kill(&mut self, ix: Ix) {
        if !self.machine(ix).is_up() {
            return;
        }
        self.tell(|world| format!("{} is KILLED", world.name(ix)));
        self.stop(ix);
        self.hang_up(ix);
    }

    fn power_off(&mut self, ix: Ix) {
        if !self.machine(ix).is_up() {
            return;
        }
        self.tell(|world| format!("{} LOSES POWER", world.name(ix)));
        self.machine_mut(ix).dark = true;
        self.stop(ix);
        self.hang_up(ix);
    }

    fn stop(&mut self, ix: Ix) {
        let made_it = self.rng.per_mille(500);
        let machine = self.machine_mut(ix);
        machine.core = None;
        machine.life += 1;
        machine.asked.clear();
        machine.attempts.clear();
        machine.parcel = None;
        let me = machine.log;
        machine.disk.fail(me, made_it);
        self.history.tally.crashes += 1;
        if self.history.tally.wiped > 0 {
            let disks = self.disks();
            self.observe(&Fact::Stopped { disks: &disks });
        }
        self.after(50, 4000, Event::Boot(ix));
    }

    fn pause(&mut self, ix: Ix) {
        if !self.machine(ix).is_up() {
            return;
        }
        let until = self.now + self.rng.between(300, 4000);
        self.tell(|world| format!("{} STANDS STILL until {until}", world.name(ix)));
        self.machine_mut(ix).stands_still_until = until;
        self.history.tally.pauses += 1;
    }

    fn fill(&mut self, ix: Ix) {
        if !self.machine(ix).is_up() {
            return;
        }
        self.tell(|world| format!("{} disk is full", world.name(ix)));
        self.machine_mut(ix).full = true;
        self.handle(ix, Input::Disk { full: Some("no space".into()) });
        let life = self.machine(ix).life;
        self.after(500, 4000, Event::Roomy(ix, life));
    }

    pub(crate) fn roomy(&mut self, ix: Ix, life: u64) {
        if self.is_current(ix, life) && std::mem::take(&mut self.machine_mut(ix).full) {
            self.tell(|world| format!("{} disk has room", world.name(ix)));
            self.handle(ix, Input::Disk { full: None });
        }
    }

    /// Once in a run, while all are up.
    fn wipe(&mut self, ix: Ix) {
        let all_up = self.machines.iter().all(crate::machine::Machine::is_up);
        if self.history.tally.wiped > 0 || !all_up {
            return;
        }
        self.tell(|world| format!("{} LOSES ITS DISK", world.name(ix)));
        self.machine_mut(ix).dark = true;
        self.stop(ix);
        self.hang_up(ix);
        let lost = std::mem::take(&mut self.machine_mut(ix).disk);
        self.history.tally.wiped += 1;
        // Who replaces a disk sets the clock as well: a boot must come after those that peers know.
        let machine = self.machine_mut(ix);
        machine.ahead = machine.ahead.rem_euclid(200);
        let others = self.disks();
        self.observe(&Fact::Wiped { ix, lost: &lost, disks: &others });
    }

    fn disks(&self) -> Vec<Disk> {
        self.machines.iter().map(|machine| machine.disk.clone()).collect()
    }

    fn cut_some(&mut self, ix: Ix, one_way: bool) {
        for peer in (0..self.plan.nodes).filter(|peer| *peer != ix) {
            if self.rng.per_mille(200) {
                continue;
            }
            self.cut(ix, peer);
            if !one_way {
                self.cut(peer, ix);
            }
            self.after(300, 6000, Event::Mend(ix, peer));
        }
    }

    fn cut(&mut self, from: Ix, to: Ix) {
        self.tell(|world| format!("CUT {} to {}", world.name(from), world.name(to)));
        self.net.cut.insert((from, to));
        self.history.tally.cuts += 1;
    }

    pub(crate) fn mend(&mut self, from: Ix, to: Ix) {
        let mut mended = self.net.cut.remove(&(from, to));
        mended |= self.net.cut.remove(&(to, from));
        if !mended {
            return;
        }
        self.tell(|world| format!("MENDED {} and {}", world.name(from), world.name(to)));
        if self.rng.per_mille(500) {
            self.reset(from, to);
        } else {
            self.flow(from, to);
            self.flow(to, from);
        }
    }

    /// From here on everything works.
    pub(crate) fn heal(&mut self) {
        self.tell(|_| "EVERYTHING IS MENDED".into());
        self.healed = true;
        let cut: Vec<(Ix, Ix)> = self.net.cut.iter().copied().collect();
        for (from, to) in cut {
            self.mend(from, to);
        }
        for ix in 0..self.plan.nodes {
            let now = self.now;
            let machine = self.machine_mut(ix);
            machine.hangs_until = machine.hangs_until.min(now);
            machine.suspect = false;
            if machine.is_up() {
                self.begin_write(ix);
                let life = self.machine(ix).life;
                self.roomy(ix, life);
            } else {
                self.agenda.at(self.now + 100, Event::Boot(ix));
            }
        }
        self.agenda.at(self.now + 3000, Event::Look);
    }
}
