//! What clients do to daemons.

use std::time::{Duration, Instant};

use super::{Scenario, millis, seconds};
use crate::common::PATIENCE;
use crate::common::resp::request;
use crate::link::Link;
use crate::load::publisher::{Batch, Style, publish_at_last};
use crate::load::subscriber::{Manner, read_something};
use crate::plan::Plan;
use crate::world::World;

pub fn all() -> Vec<Scenario> {
    let scenario = |name, seconds, plan, run| Scenario {
        name,
        seconds,
        alone: false,
        plan,
        run,
    };
    vec![
        scenario("client-vanishes", 4, vanishing_plan, vanish),
        scenario("client-reads-nothing", 8, unread_plan, read_nothing),
        scenario(
            "client-half-a-command",
            6,
            || Plan::usual().calm(),
            half_commands,
        ),
        scenario("client-many", 8, many_plan, scattering),
        scenario("client-pooled", 8, pooled_plan, scattering),
        scenario("client-never-marks", 8, unmarked_plan, scattering),
        scenario("client-restless", 10, restless_plan, leave_alone),
    ]
}

fn vanishing_plan() -> Plan {
    let mut plan = Plan::usual().calm();
    plan.network = true;
    // TCP takes up to 50 s to notice.
    plan.drain = Duration::from_secs(100);
    plan
}

/// With records that they did not mark, with replies that they did not get, with commands that were not answered.
fn vanish(world: &mut World) {
    let mut gone = Vec::new();
    while world.goes_on() {
        for lane in 0..world.plan.lanes.len() {
            gone.extend(far(world, 0, lane, true));
            gone.extend(far(world, 0, lane, false));
        }
        gone.extend(far_and_waiting(world));
        world.wait(millis(300));
        cut_off(world, &mut gone);
        world.wait(seconds(2));
        // So that others can come from there; those that are gone keep silent, since nobody reads or writes.
        world.until = world.until.min(Instant::now());
    }
    // They are kept until the end: were they closed here, and the link mended, the daemon would be told.
    world.kept.append(&mut gone);
}

/// A subscriber and a publisher, which are there until the link is mended and they are closed.
pub fn vanish_some(world: &mut World, node: usize) -> Vec<Link> {
    let mut gone = Vec::new();
    for subscribes in [true, false] {
        let lane = world.rng.usize(..world.plan.lanes.len());
        gone.extend(far(world, node, lane, subscribes));
    }
    cut_off(world, &mut gone);
    gone
}

fn cut_off(world: &mut World, gone: &mut [Link]) {
    world.did("clients vanish");
    world.network.as_ref().expect("the plan has one").cut();
    gone.iter_mut().for_each(Link::doubt);
}

/// A client from beyond the link, in the middle of something.
fn far(world: &mut World, node: usize, lane: usize, subscribes: bool) -> Option<Link> {
    let address = world.field.lanes[lane].clone();
    let identity = if subscribes {
        &address.subscribe
    } else {
        &address.publish
    };
    let (field, target) = (&world.field, &world.field.targets[node]);
    let network = world.network.as_ref().expect("the plan has one");
    let mut link = network
        .inside(|| field.open(target, identity, subscribes.then_some(lane)))
        .ok()?;
    if subscribes {
        // The first is read and not marked, the second is on its way.
        let some = read_something(&world.field, &mut link);
        world.did(format!(
            "a subscriber that will vanish has a partition: {some}"
        ));
        let _ = link.send(&request(&["MGET", "raw", "WAIT", "3000"]));
    } else {
        let style = Style { lane, ..QUICK };
        let batch = Batch::new(&world.field, style, link.id, 50, &mut 0, &mut world.rng);
        batch.send_only(&world.field, &mut link);
    }
    Some(link)
}

/// One whose reply comes when it is gone: nobody publishes of its colour.
fn far_and_waiting(world: &World) -> Option<Link> {
    let colourless = &world.field.lanes[0].subscribe;
    let identity = colourless.replace("color=", "color=grey");
    let (field, target) = (&world.field, &world.field.targets[0]);
    let network = world.network.as_ref().expect("the plan has one");
    let mut link = network
        .inside(|| field.open(target, &identity, None))
        .ok()?;
    let _ = link.send(&request(&["MGET", "WAIT", "3000"]));
    Some(link)
}

fn unread_plan() -> Plan {
    let mut plan = Plan::usual().calm();
    plan.change = |config| config.limit("write_timeout", "\"5s\"");
    // So that records, too, are more than a connection takes.
    plan.publishers.push(Style {
        pause: millis(200),
        padding: 60_000,
        ..QUICK
    });
    plan.lease = Some(seconds(4));
    plan
}

/// Replies pile up until the daemon reads no more, and closes.
fn read_nothing(world: &mut World) {
    let mut blocked = Vec::new();
    while world.goes_on() {
        let lane = world.rng.usize(..world.plan.lanes.len());
        for subscribes in [true, false] {
            match unread(world, 0, lane, subscribes) {
                Some((link, true)) => blocked.push(link),
                _ => {
                    let what = "a client that reads nothing was not blocked".into();
                    world.recorder.trouble(what);
                }
            }
        }
        let time = world.some_time(millis(500), millis(1500));
        world.wait(time);
    }
    let deadline = Instant::now() + PATIENCE;
    for link in &mut blocked {
        while !closed(link) {
            if Instant::now() > deadline {
                let what = format!("connection {} reads nothing and is not closed", link.id);
                world.recorder.trouble(what);
                break;
            }
            world.wait(millis(100));
        }
    }
    world.did("those that read nothing are closed");
}

/// A client that asks for much and reads none of it; and whether that kept it from asking on.
pub fn unread(
    world: &mut World,
    node: usize,
    lane: usize,
    subscribes: bool,
) -> Option<(Link, bool)> {
    let what = if subscribes {
        "subscriber"
    } else {
        "publisher"
    };
    world.did(format!("a {what} of daemon {node} reads nothing"));
    let address = &world.field.lanes[lane];
    let (identity, lane_read) = if subscribes {
        (&address.subscribe, Some(lane))
    } else {
        (&address.publish, None)
    };
    let target = &world.field.targets[node];
    let mut link = world.field.open(target, identity, lane_read).ok()?;
    link.narrow(millis(300));
    if subscribes {
        let _ = link.send(&request(&["MGET", "raw", "COUNT", "1000", "WAIT", "0"]).repeat(50));
    } else {
        let style = Style { lane, ..QUICK };
        let batch = Batch::new(&world.field, style, link.id, 500, &mut 0, &mut world.rng);
        batch.send_only(&world.field, &mut link);
    }
    link.doubt();
    let echo = request(&["ECHO", &"x".repeat(64 << 10)]);
    let error = (0..MUCH).find_map(|_| link.client().try_send(&echo).err());
    Some((link, error.is_some_and(|error| is_late(&error))))
}

fn closed(link: &mut Link) -> bool {
    let sent = link.client().try_send(b"x");
    sent.is_err_and(|error| !is_late(&error))
}

fn is_late(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}

/// What is not whole is never written: a record of it would be one that nobody sent.
fn half_commands(world: &mut World) {
    while world.goes_on() {
        half_a_command(world, 0);
        let time = world.some_time(millis(0), millis(300));
        world.wait(time);
    }
    world.kept.clear();
}

pub fn half_a_command(world: &mut World, node: usize) {
    world.did(format!("half a command for daemon {node}"));
    let (address, target) = (&world.field.lanes[0], &world.field.targets[node]);
    if let Ok(mut link) = world.field.open(target, &address.publish, None) {
        let whole = request(&["SET", "k1", "\"half a command\""]);
        let end = world.rng.usize(1..whole.len());
        let _ = link.send(&whole[..end]);
        match world.rng.u32(..3) {
            0 => {}
            1 => link.client().finish_sending(),
            _ => world.kept.push(link),
        }
    }
}

/// A thousand of them.
fn many_plan() -> Plan {
    let mut plan = Plan::usual().calm();
    let quiet = Style {
        lane: 0,
        depth: 2,
        pause: seconds(10),
        padding: 10,
    };
    plan.publishers.extend([quiet; 800]);
    plan.subscribers
        .extend([(0, Manner::Plain), (1, Manner::Plain)].repeat(100));
    plan
}

fn pooled_plan() -> Plan {
    let mut plan = Plan::usual().calm();
    plan.subscribers = [
        (0, Manner::Pooled),
        (1, Manner::Pooled),
        (2, Manner::Pooled),
    ]
    .repeat(3);
    plan
}

fn unmarked_plan() -> Plan {
    let mut plan = Plan::usual().calm();
    plan.subscribers.extend([
        (0, Manner::NeverMarks),
        (1, Manner::NeverMarks),
        (0, Manner::Slow),
    ]);
    plan
}

/// So that Kafka is always about to let a daemon in, or to hear that one has left.
fn restless_plan() -> Plan {
    let mut plan = Plan::usual().daemons(3).calm();
    plan.reads = 8;
    plan
}

fn leave_alone(world: &mut World) {
    while world.goes_on() {
        world.wait(millis(200));
    }
}

fn scattering(world: &mut World) {
    while world.goes_on() {
        let time = world.some_time(seconds(1), seconds(3));
        world.wait(time);
        world.scatter();
    }
    world.wait(seconds(1));
}

/// Many come to one daemon at once, each for one record or one look, and leave; they are not waited for.
pub fn crowd(world: &mut World, node: usize) {
    world.did(format!("{CROWD} clients come to daemon {node} at once"));
    world.crowd.thin_out();
    for _ in 0..CROWD {
        let (field, target) = (world.field.clone(), world.field.targets[node].clone());
        let (mut rng, lane) = (world.rng.fork(), world.rng.usize(..field.lanes.len()));
        world.crowd.add(move || {
            if rng.u32(..5) > 0 {
                let _ = publish_at_last(&field, &target, lane, rng, Duration::ZERO);
            } else if let Ok(mut link) =
                field.open(&target, &field.lanes[lane].subscribe, Some(lane))
            {
                read_something(&field, &mut link);
            }
        });
    }
}

const CROWD: usize = 300;
const QUICK: Style = Style {
    lane: 0,
    depth: 1,
    pause: Duration::ZERO,
    padding: 100,
};
/// Commands of 64 KiB: far more than the buffers of both sides hold.
const MUCH: usize = 1000;
