//! What clients do to daemons.

use std::time::Duration;

use super::{Scenario, millis, seconds};
use crate::common::resp::request;
use crate::link::Link;
use crate::load::publisher::{Batch, Style};
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
        scenario("client-reads-nothing", 6, unread_plan, read_nothing),
        scenario(
            "client-half-a-command",
            6,
            || Plan::usual().calm(),
            half_commands,
        ),
        scenario("client-many", 8, many_plan, scattering),
        scenario("client-pooled", 8, pooled_plan, scattering),
        scenario("client-never-marks", 8, unmarked_plan, scattering),
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
            gone.extend(far(world, lane, true));
            gone.extend(far(world, lane, false));
        }
        gone.extend(far_and_waiting(world));
        world.wait(millis(300));
        world.did("clients vanish");
        world.network.as_ref().expect("the plan has one").cut();
        gone.iter_mut().for_each(Link::doubt);
        world.wait(seconds(2));
        // So that others can come from there; those that are gone keep silent, since nobody reads or writes.
        world.until = world.until.min(std::time::Instant::now());
    }
    // They are kept until the end: were they closed here, and the link mended, the daemon would be told.
    world.kept.append(&mut gone);
}

/// A client from beyond the link, in the middle of something.
fn far(world: &mut World, lane: usize, subscribes: bool) -> Option<Link> {
    let address = world.field.lanes[lane].clone();
    let identity = if subscribes {
        &address.subscribe
    } else {
        &address.publish
    };
    let (field, target) = (&world.field, &world.field.targets[0]);
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
    // Where the replies fit into the system's buffers, it is a client that is silent.
    plan.change = |config| {
        let config = config.limit("write_timeout", "\"2s\"");
        config.limit("lease_idle_timeout", "\"5s\"")
    };
    plan.lease = Some(seconds(4));
    plan
}

/// Replies pile up until the daemon reads no more, and closes.
fn read_nothing(world: &mut World) {
    while world.goes_on() {
        let lane = world.rng.usize(..world.plan.lanes.len());
        let address = world.field.lanes[lane].clone();
        let target = world.field.targets[0].clone();
        world.did("a subscriber and a publisher read nothing");
        if let Ok(mut link) = world.field.open(&target, &address.subscribe, Some(lane)) {
            link.patience(millis(300));
            let mgets = request(&["MGET", "raw", "COUNT", "1000", "WAIT", "0"]).repeat(200);
            (0..200).all(|_| link.send(&mgets).is_ok());
            link.doubt();
            world.kept.push(link);
        }
        if let Ok(mut link) = world.field.open(&target, &address.publish, None) {
            link.patience(millis(300));
            let style = Style { lane, ..QUICK };
            let mut sequence = 0;
            for _ in 0..20 {
                let batch = Batch::new(
                    &world.field,
                    style,
                    link.id,
                    100,
                    &mut sequence,
                    &mut world.rng,
                );
                if !batch.send_only(&world.field, &mut link) {
                    break;
                }
            }
            link.doubt();
            world.kept.push(link);
        }
        let time = world.some_time(millis(500), millis(1500));
        world.wait(time);
    }
}

/// What is not whole is never written: a record of it would be one that nobody sent.
fn half_commands(world: &mut World) {
    while world.goes_on() {
        world.did("half a command");
        let address = world.field.lanes[0].clone();
        let target = world.field.targets[0].clone();
        if let Ok(mut link) = world.field.open(&target, &address.publish, None) {
            let whole = request(&["SET", "k1", "\"half a command\""]);
            let end = world.rng.usize(1..whole.len());
            let _ = link.send(&whole[..end]);
            match world.rng.u32(..3) {
                0 => {}
                1 => link.client().finish_sending(),
                _ => world.kept.push(link),
            }
        }
        let time = world.some_time(millis(0), millis(300));
        world.wait(time);
    }
    world.kept.clear();
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

fn scattering(world: &mut World) {
    while world.goes_on() {
        let time = world.some_time(seconds(1), seconds(3));
        world.wait(time);
        world.scatter();
    }
    world.wait(seconds(1));
}

const QUICK: Style = Style {
    lane: 0,
    depth: 1,
    pause: Duration::ZERO,
    padding: 100,
};
