//! MULTI: commands that wait for EXEC, kept as the bytes of requests and executed from there as if they came anew.

use crate::command::Error;
use crate::resp::{Args, Decoder, encode};

#[derive(Default)]
pub(super) enum Transaction {
    #[default]
    None,
    Queueing(Box<Queue>),
    Replaying(Box<Replay>),
}

#[derive(Default)]
pub(super) struct Queue {
    requests: Vec<u8>,
    count: usize,
    /// A command was refused: EXEC executes nothing.
    broken: bool,
}

/// Queued commands that are being executed.
pub(super) struct Replay {
    pub(super) requests: Vec<u8>,
    pub(super) at: usize,
    pub(super) decoder: Decoder,
}

impl Transaction {
    pub(super) fn queues(&self) -> bool {
        matches!(self, Transaction::Queueing(_))
    }

    pub(super) fn replays(&self) -> bool {
        matches!(self, Transaction::Replaying(_))
    }

    /// A command was refused while others are queued.
    pub(super) fn spoil(&mut self) {
        if let Transaction::Queueing(queue) = self {
            // Nothing of it will be executed, so nothing has to be kept.
            **queue = Queue {
                broken: true,
                ..Queue::default()
            };
        }
    }

    /// Keeps a command for EXEC.
    ///
    /// # Errors
    ///
    /// The transaction is too large; it is spoiled then.
    pub(super) fn queue(&mut self, request: Args<'_>) -> Result<(), Error> {
        let Transaction::Queueing(queue) = self else {
            unreachable!("the caller saw that it queues");
        };
        if queue.broken {
            return Ok(());
        }
        let bytes: usize = request.iter().map(<[u8]>::len).sum();
        if queue.count == MAX_COMMANDS || queue.requests.len() + bytes > MAX_BYTES {
            self.spoil();
            return Err(Error::TransactionTooLarge);
        }
        encode::array_header(&mut queue.requests, request.len());
        for word in request.iter() {
            encode::bulk(&mut queue.requests, word);
        }
        queue.count += 1;
        Ok(())
    }

    /// EXEC: how many replies there will be, or that the transaction was spoiled.
    pub(super) fn exec(&mut self) -> Result<usize, Error> {
        match std::mem::take(self) {
            Transaction::None => Err(Error::ExecWithoutMulti),
            Transaction::Queueing(queue) if queue.broken => Err(Error::ExecAbort),
            Transaction::Queueing(queue) => {
                if queue.count > 0 {
                    *self = Transaction::Replaying(Box::new(Replay {
                        requests: queue.requests,
                        at: 0,
                        decoder: Decoder::default(),
                    }));
                }
                Ok(queue.count)
            }
            Transaction::Replaying(_) => unreachable!("queued commands hold no EXEC"),
        }
    }
}

const MAX_COMMANDS: usize = 100_000;
const MAX_BYTES: usize = 16 << 20;
