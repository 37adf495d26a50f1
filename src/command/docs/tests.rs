use redis_protocol::resp3::types::OwnedFrame;

use super::*;
use crate::command::tests::parse;

fn reply(line: &str, proto: Proto) -> Vec<u8> {
    parse(line, |command| match command {
        Command::Command(query) => {
            let mut out = Vec::new();
            query.reply(&mut out, proto);
            out
        }
        other => panic!("{other:?}"),
    })
    .unwrap()
}

fn text(line: &str, proto: Proto) -> String {
    String::from_utf8(reply(line, proto))
        .unwrap()
        .replace("\r\n", " ")
}

#[test]
fn counts_and_lists() {
    let names: Vec<_> = TABLE
        .iter()
        .flat_map(|spec| std::iter::once(spec).chain(spec.subcommands))
        .map(|spec| spec.name)
        .collect();
    let listed: String = names
        .iter()
        .map(|name| format!("${} {name} ", name.len()))
        .collect();
    assert_eq!(text("COMMAND COUNT", Proto::Resp2), ":18 ");
    assert_eq!(
        text("COMMAND LIST", Proto::Resp2),
        format!("*{} {listed}", names.len())
    );
    assert_eq!(text("COMMAND LIST FILTERBY MODULE x", Proto::Resp2), "*0 ");
    assert_eq!(
        text("COMMAND LIST FILTERBY ACLCAT nothing", Proto::Resp2),
        "*0 "
    );
    assert_eq!(
        text("command list filterby aclcat TRANSACTION", Proto::Resp2),
        "*3 $5 multi $4 exec $7 discard "
    );
    assert_eq!(
        text("COMMAND LIST FILTERBY PATTERN H*", Proto::Resp2),
        "*2 $4 hset $5 hello "
    );
}

#[test]
fn tells_what_a_command_is() {
    let set3 = "*10 $3 set :-3 ~1 +write :1 :1 :1 ~3 +@write +@string +@slow ~0 ~1 %3 $5 flags ~2 +OW +update \
                $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1 \
                $9 find_keys %2 $4 type $5 range $4 spec %3 $7 lastkey :0 $7 keystep :1 $5 limit :0 ~0 ";
    assert_eq!(text("COMMAND INFO SET", Proto::Resp3), format!("*1 {set3}"));
    let set2 = set3
        .replace('~', "*")
        .replace("%3", "*6")
        .replace("%2", "*4")
        .replace("%1", "*2");
    let ping = "*10 $4 ping :-1 *2 +fast +no_auth :0 :0 :0 *2 +@connection +@fast *0 *0 *0 ";
    assert_eq!(
        text("COMMAND INFO set nope PING client|nope", Proto::Resp2),
        format!("*4 {set2}$-1 {ping}$-1 ")
    );
    assert_eq!(text("COMMAND INFO nope", Proto::Resp3), "*1 _ ");
    assert_eq!(
        text("COMMAND INFO client|ID", Proto::Resp2),
        "*1 *10 $9 client|id :2 *1 +no_auth :0 :0 :0 *2 +@connection +@slow *0 *0 *0 "
    );
    assert!(text("COMMAND INFO client", Proto::Resp2).starts_with("*1 *10 $6 client :-2 *1 +no_auth :0 :0 :0 *2 +@connection +@slow *0 *0 *9 *10 $9 client|id "));
}

#[test]
fn documents_commands() {
    let ping = "$4 ping %4 $7 summary $28 Returns the message, or PONG $5 since $5 1.0.0 $5 group $10 connection \
                $9 arguments *1 %3 $4 name $7 message $4 type $6 string $5 flags ~1 +optional ";
    assert_eq!(
        text("COMMAND DOCS nope PING", Proto::Resp3),
        format!("%1 {ping}")
    );
    assert_eq!(
        text("COMMAND DOCS ping", Proto::Resp2),
        format!(
            "*2 {}",
            ping.replace("%4", "*8")
                .replace("%3", "*6")
                .replace('~', "*")
        )
    );
    assert_eq!(text("COMMAND DOCS nope", Proto::Resp2), "*0 ");
    assert!(text("COMMAND DOCS set", Proto::Resp3).contains("*2 %3 $4 name $3 key $4 type $3 key $14 key_spec_index :0 %2 $4 name $5 value $4 type $6 string "));
}

#[test]
fn each_answer_is_one_valid_element() {
    for line in ["COMMAND", "COMMAND INFO", "COMMAND DOCS", "COMMAND LIST"] {
        let out = reply(line, Proto::Resp2);
        let (_, used) = redis_protocol::resp2::decode::decode(&out)
            .unwrap()
            .unwrap();
        assert_eq!(used, out.len(), "{line}");
        // The crate cannot hold a map within a set, which Redis sends as well.
        let out: Vec<u8> = reply(line, Proto::Resp3)
            .iter()
            .map(|byte| if *byte == b'~' { b'*' } else { *byte })
            .collect();
        let (frame, used) = redis_protocol::resp3::decode::complete::decode(&out)
            .unwrap()
            .unwrap();
        assert_eq!(used, out.len(), "{line}");
        let elements = match frame {
            OwnedFrame::Array { data, .. } => data.len(),
            OwnedFrame::Map { data, .. } => data.len(),
            other => panic!("{other:?}"),
        };
        assert!(elements >= TABLE.len(), "{line}");
    }
}

#[test]
fn a_long_list_of_names_is_refused() {
    assert_eq!(
        parse(&format!("COMMAND INFO{}", " client".repeat(257)), |_| ()),
        Err("ERR too many command names".to_owned())
    );
}

#[test]
fn the_table_is_consistent() {
    for spec in TABLE {
        assert!(!spec.summary.is_empty(), "{}", spec.name);
        for sub in spec.subcommands {
            assert!(
                !sub.summary.is_empty() && sub.name.starts_with(&format!("{}|", spec.name)),
                "{}",
                sub.name
            );
            assert_eq!(
                (sub.before_auth, sub.group),
                (spec.before_auth, spec.group),
                "{}",
                sub.name
            );
        }
    }
}
