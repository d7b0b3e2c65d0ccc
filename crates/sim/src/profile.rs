//! What a run is about: which faults, how often, and what people and programs do meanwhile.

use crate::queue::Ms;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A process is killed; its machine refuses connections until it is started again.
    Kill,
    /// A machine loses power: nothing answers, and what was not on its disk is gone.
    PowerOff,
    /// All machines lose power.
    Blackout,
    /// Some links carry nothing.
    Cut,
    /// Some links carry nothing one way.
    CutOneWay,
    /// One link carries nothing one way, until the run is healed.
    BadLink,
    /// Connections break, and are made anew.
    Reset,
    /// A process stands still.
    Pause,
    /// A disk is replaced by an empty one. Once in a run.
    Wipe,
    /// A disk answers no write for seconds.
    Hang,
    /// A disk is full.
    Full,
    /// A row cannot be read any more, which the next start notices.
    Rot,
    /// A wall clock jumps.
    Jump,
}

/// What providers say, in a thousand; the rest is accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mail {
    pub(crate) again: u64,
    pub(crate) later: u64,
    pub(crate) unknown: u64,
}

/// What people do besides sending notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum People {
    /// Nothing.
    Absent,
    /// They acknowledge and comment.
    Answering,
    /// They do everything that can be asked of a node.
    Busy,
    /// They answer, silence alerts, and edit a book that holds alerts back.
    Silencing,
    /// They answer, and move the work from node to node.
    Switching,
    /// They answer, and take nodes in and out.
    Enrolling,
}

/// A kind of run.
#[derive(Debug)]
pub struct Profile {
    /// What it is called.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    /// What is known not to hold here yet, and why; the profile is then run by name only.
    pub hole: Option<&'static str>,
    pub(crate) faults: &'static [Fault],
    /// Between two faults.
    pub(crate) gap: (Ms, Ms),
    pub(crate) people: People,
    pub(crate) mail: Mail,
    /// Packets lost, in a thousand messages.
    pub(crate) loss: u64,
    /// Wall clocks differ by up to this.
    pub(crate) clocks: Ms,
    /// Where one node sends for all.
    pub(crate) passive: bool,
    /// Rows kept for peers that lack them.
    pub(crate) retained: usize,
    /// Alerts of a run.
    pub(crate) notices: usize,
}

const FAITHFUL: Mail = Mail { again: 0, later: 0, unknown: 0 };
const USUAL: Mail = Mail { again: 40, later: 10, unknown: 10 };

/// Every profile.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "calm",
        about: "nothing goes wrong",
        hole: None,
        faults: &[],
        gap: (1000, 1000),
        people: People::Answering,
        mail: FAITHFUL,
        loss: 0,
        clocks: 200,
        passive: false,
        retained: 100_000,
        notices: 16,
    },
    Profile {
        name: "crash",
        about: "processes are killed and started again",
        hole: None,
        faults: &[Fault::Kill],
        gap: (600, 3000),
        people: People::Answering,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 100_000,
        notices: 16,
    },
    Profile {
        name: "partition",
        about: "links are cut, both ways or one way, and mended",
        hole: None,
        faults: &[Fault::Cut, Fault::Cut, Fault::CutOneWay, Fault::Reset],
        gap: (600, 3000),
        people: People::Answering,
        mail: USUAL,
        loss: 10,
        clocks: 200,
        passive: false,
        retained: 150,
        notices: 16,
    },
    Profile {
        name: "power",
        about: "all machines lose power at once",
        hole: None,
        faults: &[Fault::Blackout, Fault::Blackout, Fault::PowerOff],
        gap: (1500, 4000),
        people: People::Answering,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 100_000,
        notices: 24,
    },
    Profile {
        name: "asym",
        about: "one link carries one way only, all the time",
        hole: None,
        faults: &[Fault::BadLink],
        gap: (600, 3000),
        people: People::Answering,
        mail: FAITHFUL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 100_000,
        notices: 16,
    },
    Profile {
        name: "pause",
        about: "processes stand still for a while",
        hole: None,
        faults: &[Fault::Pause, Fault::Pause, Fault::Reset],
        gap: (600, 3000),
        people: People::Answering,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 100_000,
        notices: 16,
    },
    Profile {
        name: "disk",
        about: "disks hang and fill up, machines lose power in the middle of a write",
        hole: None,
        faults: &[Fault::Hang, Fault::Full, Fault::PowerOff, Fault::Kill],
        gap: (800, 3000),
        people: People::Answering,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 150,
        notices: 16,
    },
    Profile {
        name: "full",
        about: "everything, and one disk is lost",
        hole: None,
        faults: &[
            Fault::Kill,
            Fault::Kill,
            Fault::PowerOff,
            Fault::Cut,
            Fault::CutOneWay,
            Fault::Reset,
            Fault::Pause,
            Fault::Wipe,
            Fault::Hang,
            Fault::Jump,
        ],
        gap: (600, 3000),
        people: People::Answering,
        mail: USUAL,
        loss: 30,
        clocks: 200,
        passive: false,
        retained: 150,
        notices: 16,
    },
    Profile {
        name: "lossy",
        about: "much comes late on the way, processes are killed or stand still, links are cut",
        hole: None,
        faults: &[Fault::Kill, Fault::Pause, Fault::Cut],
        gap: (300, 2000),
        people: People::Answering,
        mail: USUAL,
        loss: 300,
        clocks: 200,
        passive: false,
        retained: 100_000,
        notices: 40,
    },
    Profile {
        name: "flap",
        about: "processes are killed and started again in quick succession",
        hole: None,
        faults: &[Fault::Kill],
        gap: (100, 900),
        people: People::Answering,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 100_000,
        notices: 40,
    },
    Profile {
        name: "wipe",
        about: "a disk is lost in the middle of much work, and nothing else",
        hole: None,
        faults: &[Fault::Wipe],
        gap: (1500, 6000),
        people: People::Absent,
        mail: USUAL,
        loss: 20,
        clocks: 200,
        passive: false,
        retained: 150,
        notices: 60,
    },
    Profile {
        name: "rot",
        about: "rows rot on one disk of several, which the next start notices",
        hole: None,
        faults: &[Fault::Rot, Fault::Kill],
        gap: (800, 3000),
        people: People::Answering,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 150,
        notices: 16,
    },
    Profile {
        name: "passive",
        about: "one node sends for all, and hands over",
        hole: None,
        faults: &[Fault::Kill, Fault::Cut, Fault::Reset],
        gap: (2000, 5000),
        people: People::Switching,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: true,
        retained: 100_000,
        notices: 16,
    },
    Profile {
        name: "members",
        about: "nodes are taken in and out, one is a backup, one a witness",
        hole: None,
        faults: &[Fault::Kill, Fault::Cut],
        gap: (2000, 5000),
        people: People::Enrolling,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 150,
        notices: 16,
    },
    Profile {
        name: "operators",
        about: "people do everything that can be asked of a node, and links are cut",
        hole: None,
        faults: &[Fault::Cut, Fault::Kill, Fault::Reset],
        gap: (1500, 4000),
        people: People::Busy,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 150,
        notices: 16,
    },
    Profile {
        name: "hush",
        about: "alerts are silenced, inhibit each other, and lie in maintenance windows; links are cut",
        hole: None,
        faults: &[Fault::Cut, Fault::Kill, Fault::Pause, Fault::Reset],
        gap: (1500, 4000),
        people: People::Silencing,
        mail: USUAL,
        loss: 5,
        clocks: 200,
        passive: false,
        retained: 150,
        notices: 24,
    },
];

/// The profile of that name.
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}
