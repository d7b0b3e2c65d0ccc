//! Every limit of the product: its name, its unit, and what happens when it is reached.

use std::time::Duration;

/// Characters of a [`crate::Name`]. A longer one is refused.
pub const NAME_CHARS_MAX: usize = 64;
/// Bytes of an alert's summary. A longer one is refused (413 over HTTP).
pub const SUMMARY_BYTES_MAX: usize = 4 * 1024;
/// Bytes of an alert's details. Longer ones are refused (413 over HTTP).
pub const DETAILS_BYTES_MAX: usize = 64 * 1024;
/// Labels of one alert. More are refused.
pub const LABELS_MAX: usize = 64;
/// Bytes of one label's name and value together. More are refused.
pub const LABEL_BYTES_MAX: usize = 1024;
/// Bytes of a comment. A longer one is refused.
pub const COMMENT_BYTES_MAX: usize = 4 * 1024;
/// Comments kept with one open alert. A further one is refused; the history keeps those there are.
pub const COMMENTS_MAX: usize = 200;
/// Bytes of an idempotency key. A longer one is refused.
pub const KEY_BYTES_MAX: usize = 255;
/// Idempotency keys remembered per source; the oldest goes first.
pub const KEYS_PER_SOURCE_MAX: usize = 100_000;
/// How long an idempotency key is remembered. A request that comes later with the same key is a new one.
pub const KEY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Names and addresses a notice may be sent to directly. More are refused: use a group.
pub const NOTICE_TARGETS_MAX: usize = 1000;
/// Notices in one batch. More are refused.
pub const BATCH_NOTICES_MAX: usize = 1000;
/// Bytes of a request's body. A larger one is refused (413).
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of what a dispatcher posts as a webhook: thousands of alerts. A larger post is refused (413).
pub const HOOK_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a directory document. A larger one is refused (413).
pub const DIRECTORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Recipients in the directory. More are refused.
pub const RECIPIENTS_MAX: usize = 200_000;
/// Addresses of one recipient. More are refused.
pub const ADDRESSES_MAX: usize = 16;
/// Escalation steps of a policy. More are refused.
pub const STEPS_MAX: usize = 50;
/// Rounds of a policy, the first included. More are refused.
pub const ROUNDS_MAX: u16 = 100;
/// Routes in the directory. More are refused.
pub const ROUTES_MAX: usize = 10_000;
/// Words for severities of the settings, and of each token. More are refused.
pub const SEVERITY_WORDS_MAX: usize = 200;
/// How long messages may wait to be put together into one. A longer time is refused.
pub const BUNDLE_WITHIN_MAX: Duration = Duration::from_secs(3600);
/// Notifications put together into one message. With so many it goes out before its time.
pub const BUNDLE_NOTIFICATIONS_MAX: usize = 1000;
/// Alerts that such a message lists, the most urgent first. Of the rest it gives the number.
pub const BUNDLE_LISTED_MAX: usize = 50;
/// How deep groups may stand in groups. Deeper is refused.
pub const GROUP_DEPTH_MAX: usize = 16;
/// Alerts open at once. Past it a notice is refused with 503, and the operators are told.
pub const OPEN_ALERTS_MAX: usize = 200_000;
/// Silences kept, of which those whose time is over go first. Where all of them lie ahead, a further one is refused.
pub const SILENCES_MAX: usize = 10_000;
/// How long a silence is known after its time is over. Then its records go.
pub const SILENCE_REST: Duration = Duration::from_secs(5 * 24 * 3600);
/// Rules of inhibition in a directory. More are refused.
pub const INHIBITIONS_MAX: usize = 1000;
/// Labels that a rule of inhibition compares. More are refused.
pub const INHIBITION_LABELS_MAX: usize = 64;
/// Maintenance windows in a directory. More are refused.
pub const MAINTENANCE_MAX: usize = 1000;
/// How often the same trouble may be asked to be raised before it counts as flapping. More is refused.
pub const FLAPPING_RAISED_MAX: u16 = 100;
/// How far back raises of the same trouble may be asked to be counted. A longer time is refused.
pub const FLAPPING_WITHIN_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long a flapping alert may be asked to stand before it is told. A longer time is refused.
pub const FLAPPING_STEADY_MAX: Duration = Duration::from_secs(6 * 3600);
/// Troubles of which a node remembers when they were raised. Past it the one that was raised longest ago is forgotten.
pub const FLAPPING_REMEMBERED_MAX: usize = 10_000;
/// Inputs waiting for the event loop. Past it a request is refused with 503 and Retry-After.
pub const INPUTS_QUEUED_MAX: usize = 8192;
/// Notifications named by one `Intent`. A crash repeats at most this many per record.
pub const INTENT_NOTIFICATIONS_MAX: usize = 64;
/// Outcomes named by one `Done`. More are spread over several.
pub const DONE_OUTCOMES_MAX: usize = 1024;
/// Tries of one notification after which it is given up, and the operators are told. Tries that failed
/// because the provider was in trouble do not count.
pub const ATTEMPTS_MAX: u16 = 50;
/// Bytes kept of the reason for a failure. A longer one is cut.
pub const REASON_BYTES_MAX: usize = 300;
/// How long a code rests before it names another alert. Until then codes count on, and grow longer.
pub const CODE_REST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Codes count to here, and start again with 1 where those have rested.
pub const CODE_WRAP: u32 = 9_999;
/// Bytes of a template. A larger one is refused.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;
/// Bytes a rendered message may have before the channel's own limit. A longer one is cut, visibly.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of one frame between peers. A longer one ends its connection; what is larger goes in several.
pub const PEER_FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of one message between peers, put together from its frames. A longer one ends its connection.
pub const PEER_MESSAGE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Bytes of records that wait for the connection to one peer. What comes on top is dropped, and the
/// connection is made anew once the rest has left: the core then starts again from what the peer holds.
pub const PEER_QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of the latest records that are kept in memory for peers. Older ones are read from the ledger.
pub const MIRROR_TAIL_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of records that are read from the ledger for a peer at once; the rest is read after that.
pub const MIRROR_READ_BYTES_MAX: usize = 1024 * 1024;
/// Messages of peers that wait for the event loop. Past it their connections are not read.
pub const PEER_MESSAGES_QUEUED_MAX: usize = 1024;
/// Bytes of records of one peer that were read and not stored yet. Until some are, no more is read.
pub const PEER_ROOM_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a snapshot. A larger one is discarded, and ends its connection.
pub const PEER_SNAPSHOT_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Accepted connections that have not said yet who they are. A further one is closed at once.
pub const PEER_ARRIVALS_MAX: usize = 128;
/// The same from one IP address. A further one is closed at once.
pub const PEER_ARRIVALS_PER_HOST_MAX: usize = 32;
/// How long a connection has for the handshake and to say who it is. A slower one is closed.
pub const PEER_GREETING_TIME: Duration = Duration::from_secs(5);
/// How long a peer's connection may be silent. Then it is closed, and its peer makes another.
pub const PEER_SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long one address of a peer has to answer. Then the next one is tried.
pub const PEER_ADDRESS_TIME: Duration = Duration::from_secs(1);
/// Nodes of a cluster, witnesses and backups included. A further one is told which commands make room.
pub const CLUSTER_MEMBERS_MAX: usize = 5;
/// Records that are done with and kept for a peer that lacks them. Past it the oldest go all the same, and
/// the peer is brought level by a snapshot.
pub const RETAINED_RECORDS_MAX: usize = 500_000;
/// Terms below the newest of which the directory's last edition is kept. Those of earlier ones go.
pub const DIRECTORY_TERMS_BACK: usize = 8;

/// Choices that a notice may offer. One with more is refused.
pub const CHOICES_MAX: usize = 9;
/// Characters of a choice. One that is longer is refused.
pub const CHOICE_CHARS_MAX: usize = 40;

/// Heartbeat monitors of a directory. A directory with more is refused.
pub const MONITORS_MAX: usize = 1000;
/// The shortest time between two pings of a monitor. A shorter one is refused.
pub const MONITOR_EVERY_MIN: Duration = Duration::from_secs(1);
/// How soon after a ping was told to the other nodes another one is. Those between are kept by the node that heard
/// them.
pub const MONITOR_TOLD_MIN: Duration = Duration::from_secs(1);

const _: () = {
    assert!(
        REQUEST_BYTES_MAX < HOOK_BYTES_MAX,
        "a dispatcher's post holds more alerts than a batch of notices"
    );
    assert!(
        SUMMARY_BYTES_MAX + DETAILS_BYTES_MAX < REQUEST_BYTES_MAX,
        "a notice at its limits fits a request"
    );
    assert!(
        DETAILS_BYTES_MAX + SUMMARY_BYTES_MAX < MESSAGE_BYTES_MAX,
        "an alert at its limits fits a message"
    );
    assert!(
        DIRECTORY_BYTES_MAX < PEER_MESSAGE_BYTES_MAX,
        "a directory at its limit fits a message between peers"
    );
    assert!(INTENT_NOTIFICATIONS_MAX <= DONE_OUTCOMES_MAX, "the outcomes of one Intent fit one Done");
    assert!(
        FLAPPING_STEADY_MAX.as_secs() < 24 * 3600,
        "a flapping alert is told before its time to live is over, if nobody shortened that"
    );
    assert!(KEY_LIFE.as_secs() <= CODE_REST.as_secs(), "a code outlives every key that leads to it");
};
