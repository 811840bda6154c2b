//! PostgreSQL, filled by rsyslog with the shipped configuration, and the questions of an auditor as the documentation has them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;

use portcullis_testbed::{Postgres, Rsyslog, poll, workspace};
use serde_json::{Value, json};

use crate::auditor::{ARRIVAL, Gateway};

const SCHEMA: &str = "envoy/audit/postgres.sql";

/// The statements of the documentation by their headings.
fn questions() -> BTreeMap<String, String> {
    let text = fs::read_to_string(workspace().join("docs/audit-stores.md")).unwrap();
    let section = |section: &str| {
        let (heading, rest) = section.split_once('\n')?;
        let sql = rest.split_once("```sql\n")?.1.split_once("\n```")?.0;
        Some((heading.trim().to_owned(), sql.to_owned()))
    };
    text.split("\n### ").filter_map(section).collect()
}

fn count(database: &Postgres) -> usize {
    database.query("SELECT count(*) FROM audit WHERE id IS NOT NULL").unwrap().trim().parse().unwrap()
}

#[test]
fn every_event_is_one_row_though_the_database_and_rsyslog_are_away_for_a_while() {
    const REQUESTS: usize = 400;
    let gateway = Gateway::start(&json!({}), &[]);
    let mut database = Postgres::start().unwrap();
    database.run(&workspace().join(SCHEMA)).unwrap();
    let file = gateway.file();
    let rsyslog = Rsyslog::start(&file, database.address()).unwrap();

    gateway.load(REQUESTS / 4);
    poll("the first rows", ARRIVAL, || (count(&database) > 0).then_some(())).unwrap();
    database.pause();
    gateway.load(REQUESTS / 4);
    let _ = gateway.written(REQUESTS / 2);
    // It ends while the database is away.
    drop(rsyslog);
    gateway.load(REQUESTS / 4);
    let rsyslog = Rsyslog::start(&file, database.address()).unwrap();
    database.resume().unwrap();
    gateway.load(REQUESTS / 4);
    let written = gateway.written(REQUESTS);
    assert_eq!(written.len(), REQUESTS);
    let all = poll("every row", ARRIVAL, || (count(&database) >= REQUESTS).then_some(()));
    all.map_err(|error| error.context(rsyslog.log())).unwrap();

    let columns = "id, line, action, object, outcome, rule, reason, subject, method, path, status";
    let rows = database.query(&format!("SELECT to_jsonb(a) FROM (SELECT {columns} FROM audit ORDER BY row) a")).unwrap();
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), REQUESTS, "a line that is read again makes no row");
    for row in &rows {
        let line = &written[row["id"].as_str().unwrap()];
        assert_eq!(row["line"], line.as_str(), "byte by byte");
        let event: Value = serde_json::from_str(line).unwrap();
        for (column, pointer) in [
            ("action", "/action"),
            ("object", "/object"),
            ("outcome", "/outcome"),
            ("rule", "/decision/rule"),
            ("reason", "/decision/reason"),
            ("subject", "/principal/subject"),
            ("method", "/request/method"),
            ("path", "/request/path"),
            ("status", "/response/status"),
        ] {
            assert_eq!(row[column], event.pointer(pointer).cloned().unwrap_or_default(), "{column} of {line}");
        }
    }

    answers_the_auditor(&database, REQUESTS, &file);
    only_adds(&database);
}

/// Each question of the documentation, with an answer that is known.
fn answers_the_auditor(database: &Postgres, requests: usize, file: &std::path::Path) {
    let questions = questions();
    let ask = |heading: &str| {
        let rows = database.query(questions.get(heading).unwrap_or_else(|| panic!("there is no question {heading:?}"))).unwrap();
        rows.lines().map(|row| row.split('|').map(str::to_owned).collect()).collect::<Vec<Vec<_>>>()
    };
    let each = requests / 5;
    let alice = ask("What did alice do?");
    assert_eq!(alice.len(), 2 * each);
    assert!(
        alice.iter().any(|row| row[1..] == ["order.approve", "40", "POST", "/orders/40/approve", "allowed", "200"]),
        "{alice:?}"
    );
    let refused = ask("Who was refused where, and why?");
    assert!(refused.iter().all(|row| row[..4] != ["alice"]), "{refused:?}");
    assert!(
        refused.iter().any(|row| row[..5] == ["unknown", "GET", "/orders", "token_missing", &each.to_string()]),
        "{refused:?}"
    );
    let bobs = refused.iter().filter(|row| row[0] == "bob" && row[3] == "role_missing");
    assert_eq!(bobs.map(|row| row[4].parse::<usize>().unwrap()).sum::<usize>(), each);
    let order = ask("Who did something to order 42?");
    assert!(order.iter().all(|row| row[2] == "order.approve"), "{order:?}");
    assert!(!ask("Who sent forged identity headers?").is_empty());
    assert!(ask("Who sent forged identity headers?").iter().all(|row| row[1] == "bob" && row[4] == "x-user-id"));
    assert_eq!(ask("What would a rule in shadow have refused?"), [["reports", "role_missing", &each.to_string()]]);
    assert_eq!(ask("Which of an administrator's actions failed?"), Vec::<Vec<String>>::new());
    assert_eq!(ask("Is there anything that is no event?"), Vec::<Vec<String>>::new());
    assert_eq!(questions.len(), 7, "a question that is not asked here: {:?}", questions.keys());

    // What somebody else writes into the file is kept, and found.
    let mut other = OpenOptions::new().append(true).open(file).unwrap();
    writeln!(other, "not JSON: it's\n{{\"schema\":\"portcullis.audit.gap/1\",\"id\":\"gap\",\"dropped\":7}}").unwrap();
    let found = || Some(ask("Is there anything that is no event?")).filter(|rows| rows.len() == 2);
    let rows = poll("the other lines", ARRIVAL, found).unwrap();
    assert_eq!(rows[0][1..], ["", "not JSON: it's"]);
    assert_eq!(rows[1][1], "portcullis.audit.gap/1");
}

/// The role that inserts can neither read nor change what is there.
fn only_adds(database: &Postgres) {
    for statement in
        ["SELECT id FROM audit", "UPDATE audit SET line = ''", "DELETE FROM audit", "INSERT INTO audit (id) VALUES ('a')"]
    {
        let error = database.query(&format!("SET ROLE audit_writer; {statement}")).unwrap_err().to_string();
        assert!(error.contains("permission denied"), "{statement}: {error}");
    }
    let forged = "SET ROLE audit_writer; INSERT INTO audit (line) SELECT '{\"id\":\"x-1\"}'; INSERT INTO audit (line) VALUES ('{\"id\":\"x-1\", \"a\":1}')";
    database.query(forged).unwrap();
    let kept = database.query("SELECT count(*) FROM audit WHERE line LIKE '%x-1%'").unwrap();
    assert_eq!(kept.trim(), "2", "another line under the same id is kept, without it");
}
