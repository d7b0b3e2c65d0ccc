//! Bad input, of people and of the machine: each a clear error that names the field or file; nothing accepted is
//! lost, nothing is half-applied.

use crate::mailbox::{Mailbox, peers};
use crate::site::{PATIENCE, Site, mail_provider};
use crate::story::DIRECTORY;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

/// A node that nobody can be told by: enough to be refused.
fn lone() -> Site {
    let mut site = Site::new(&mail_provider("mail-1", 9, ""), DIRECTORY);
    site.start();
    site
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn requests_that_are_wrong_are_told_what_is_wrong_and_leave_nothing_behind() {
    let site = lone();
    let check = |body: &str, status: u16, parts: &[&str]| {
        let request = site.request("POST", "/api/v1/notices").header("content-type", "application/json");
        let answer = request.body(body.to_owned()).send().expect("the node answers");
        let (got, kind) =
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap().to_owned());
        let text = answer.text().expect("a body");
        assert_eq!((got, kind.as_str()), (status, "application/problem+json"), "{body:.100}: {text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{body:.100}: {text}");
    };
    check("{\"summary\": ", 400, &["line 1"]);
    check("[]", 422, &[]);
    check("{\"summary\": 7}", 422, &["summary"]);
    check("{\"summary\": \"x\", \"sevrity\": \"high\"}", 422, &["sevrity", "severity"]);
    check("{\"summary\": \"x\", \"severity\": \"hihg\"}", 422, &["high"]);
    check("{\"summary\": \"x\", \"to\": [\"pmups\"]}", 422, &["/to/0", "pumps"]);
    check("{\"summary\": \"x\", \"to\": [\"pumps\"], \"policy\": \"huried\"}", 422, &["policy", "hurried"]);
    check("{\"summary\": \"\"}", 422, &["summary"]);
    check(&format!("{{\"summary\": \"{}\", \"to\": [\"anna\"]}}", "x".repeat(1 << 20)), 413, &["summary"]);
    check(&"[".repeat(200_000), 400, &[]);
    check("{\"summary\": \"x\", \"to\": [\"mail:a@b.example\\r\\nBcc: eve@x.example\"]}", 422, &["/to/0"]);
    assert_eq!(site.get("/api/v1/status")["open"], 0, "nothing of it was accepted");
}

#[test]
fn emoji_right_to_left_text_and_header_injection_arrive_as_text() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let site = Site::with_mailbox(&mailbox, DIRECTORY);
    let summary = "🚨 מנוע 3 עצר\r\nBcc: eve@x.example\u{0} – 泵";
    site.post("/api/v1/notices", &json!({"summary": summary, "to": ["anna"]}));
    let mail = mailbox.mail_for("anna");
    assert!(mail.subject.contains("🚨 מנוע 3 עצר") && mail.subject.contains("泵"), "{mail:?}");
    assert!(mail.subject.contains("Bcc: eve@x.example"), "it is part of the subject: {mail:?}");
    assert_eq!(mailbox.all().len(), 1, "and of nothing else");
}

#[test]
fn a_directory_that_is_wrong_is_refused_whole_with_lines_and_the_nearest_names() {
    let site = lone();
    let before = site.get("/api/v1/directory");
    let file = site.folder().join("new.toml");
    let exported = site.cli(&["directory", "export"]);
    let text = String::from_utf8(exported.stdout).expect("TOML is text");
    let bad = format!(
        "{text}\n[groups.a]\ntitle = \"A\"\nmembers = [\"b\"]\n[groups.b]\ntitle = \"B\"\nmembers = [\"a\", \"anan\"]\n"
    );
    std::fs::write(&file, bad).expect("the folder can be written");
    let applied = site.cli(&["directory", "apply", "--yes", file.to_str().unwrap()]);
    assert!(!applied.status.success());
    let said = said(&applied);
    for part in ["new.toml:", "anan", "anna", "a -> b -> a"] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    assert_eq!(site.get("/api/v1/directory"), before, "nothing was applied");
    std::fs::write(&file, format!("{text}\n[recipients.anna]\ntitle = \"Again\"\n"))
        .expect("it can be written");
    let twice = site.cli(&["directory", "apply", "--yes", file.to_str().unwrap()]);
    assert!(!twice.status.success() && self::said(&twice).contains("anna"), "{twice:?}");
}

#[test]
fn a_second_process_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let site = lone();
    let second = site.cli(&["run"]);
    assert!(!second.status.success());
    let said = said(&second);
    assert!(said.contains(&site.pid().to_string()), "it names the process that holds the folder: {said}");
    assert!(site.get("/api/v1/status")["node"]["name"] == "t");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    if rustix::process::getuid().is_root() {
        eprintln!("root may write everywhere; the ledger's own tests cover a read-only folder");
        return;
    }
    let mut site = lone();
    site.stop();
    let mode = |mode| std::fs::set_permissions(site.folder(), std::fs::Permissions::from_mode(mode));
    mode(0o500).expect("the folder is ours");
    let ran = site.cli(&["run"]);
    mode(0o700).expect("the folder is ours");
    assert!(!ran.status.success() && said(&ran).contains(site.folder().to_str().unwrap()), "{ran:?}");
}

#[test]
fn a_wrong_node_file_is_told_with_its_line_before_anything_starts() {
    let site = Site::new(&mail_provider("mail-1", 9, "conections = 3"), DIRECTORY);
    for arguments in [&["check"][..], &["run"]] {
        let output = site.cli(arguments);
        let said = said(&output);
        assert!(!output.status.success(), "{arguments:?}: {said}");
        assert!(said.contains("conections") && said.contains("connections"), "{arguments:?}: {said}");
    }
}

#[test]
fn an_orderly_stop_leaves_a_clean_start_and_open_alerts_go_on() {
    let Some(peers) = peers() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::with_mailbox(&mailbox, DIRECTORY);
    let code = site.send("pumps", "before the stop");
    mailbox.mail_for("anna");
    assert!(site.stop().success());
    site.start();
    mailbox.mail_for("ben");
    assert_eq!(site.get(&format!("/api/v1/alerts/{code}"))["state"], "open");
    let starts = site.trail("&kind=start");
    assert!(
        starts.iter().any(|start| start["text"].as_str().is_some_and(|text| text.contains("clean"))),
        "{starts:?}"
    );
    assert!(mailbox.all().iter().all(|mail| !mail.is_marked()), "nothing was repeated");
}

#[test]
fn the_same_request_twice_is_one_alert_and_another_under_its_key_is_refused() {
    let mut site = lone();
    let body = json!({"summary": "once", "to": ["anna"]});
    let (status, first) = site.try_post("/api/v1/notices", &body, Some("k1")).expect("the node answers");
    assert_eq!((status, first["taken"].as_str()), (201, Some("new")));
    site.kill();
    site.start();
    let (status, again) = site.try_post("/api/v1/notices", &body, Some("k1")).expect("the node answers");
    assert_eq!((status, &again["code"]), (200, &first["code"]), "{again}");
    let other = json!({"summary": "other", "to": ["anna"]});
    let (status, problem) = site.try_post("/api/v1/notices", &other, Some("k1")).expect("the node answers");
    assert_eq!(status, 422, "{problem}");
    let listed = site.get("/api/v1/alerts?limit=100");
    let theirs =
        listed["alerts"].as_array().expect("alerts").iter().filter(|alert| alert["system"] == false).count();
    assert_eq!(theirs, 1, "{listed:#}");
}

#[test]
fn a_clock_set_by_a_day_while_the_node_was_down_expires_nothing() {
    let Some(peers) = peers() else { return };
    for hours in [-25i64, 25] {
        let mailbox = Mailbox::open(&peers);
        let mut dead = Mailbox::open(&peers);
        dead.kill();
        let mut site = Site::new(&mail_provider("mail-1", dead.port, ""), DIRECTORY);
        site.start();
        let code = site.send("pumps", "before the clock was set");
        site.kill();
        // The node wrote down what its clocks said together; that it says something else now is what a set
        // clock looks like, without setting this machine's.
        let file = site.folder().join("clock");
        let text = std::fs::read_to_string(&file).expect("the node remembers its clocks");
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words[1] = (words[1].parse::<i64>().expect("a number") + hours * 3_600_000).to_string();
        std::fs::write(&file, words.join(" ")).expect("the folder can be written");
        let revived = Mailbox::open_at(&peers, dead.port);
        site.start();
        let mail = revived.mail_for("anna");
        assert!(mail.subject.contains("before the clock was set"));
        assert_ne!(site.get(&format!("/api/v1/alerts/{code}"))["ended"]["why"], "expired");
        assert!(site.log().contains("clock was set"), "{}", site.log());
        drop(mailbox);
    }
}

#[test]
fn a_full_disk_refuses_new_alerts_in_words_and_finishes_those_it_has() {
    let Some(peers) = peers() else { return };
    let Some(disk) = crate::site::SmallDisk::mount() else { return };
    let mailbox = Mailbox::open(&peers);
    let mut site = Site::on(disk.path(), &mail_provider("mail-1", mailbox.port, ""), DIRECTORY);
    site.start();
    let before = site.send("pumps", "before the disk was full");
    disk.fill();
    let details = "x".repeat(60_000);
    let mut refused = None;
    for number in 0..2000 {
        let body = json!({"summary": format!("filling {number}"), "details": details, "to": ["anna"]});
        let (status, answer) = site.try_post("/api/v1/notices", &body, None).expect("the node answers");
        if status == 507 {
            refused = Some(answer);
            break;
        }
        assert_eq!(status, 201, "{answer}");
    }
    let refused = refused.expect("a full disk is noticed");
    assert!(refused.to_string().contains("full"), "{refused}");
    let (_, status) = site.press(&mailbox.mail_for("ben").link().expect("the mail has a link"));
    assert_eq!(status, 200, "an acknowledgement still has room");
    assert_eq!(site.get(&format!("/api/v1/alerts/{before}"))["state"], "acknowledged");
    disk.empty();
    site.wait("/api/v1/status", "room again", |status| status["disk_full"].is_null());
    site.send("pumps", "after there was room");
    mailbox.wait("the alert after", PATIENCE, |mails| {
        mails.iter().any(|mail| mail.subject.contains("after there"))
    });
}
