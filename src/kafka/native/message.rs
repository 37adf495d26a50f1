//! A fetched message as a [`Record`]. rdkafka's accessor of headers panics where a name is not UTF-8.

use std::ffi::CStr;
use std::ptr;
use std::slice;

use rdkafka::bindings as rdk;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::types::RDKafkaRespErr;

use crate::message::Record;

/// Copies a message.
pub fn record(message: &BorrowedMessage<'_>) -> Record {
    Record::new(
        message.partition(),
        message.offset(),
        message.timestamp().to_millis().unwrap_or(-1),
        message.key(),
        message.payload(),
        Headers::of(message),
    )
}

/// The headers of a message: names and values, null values as `None`.
#[derive(Clone)]
struct Headers<'m> {
    list: *mut rdk::rd_kafka_headers_t,
    next: usize,
    message: std::marker::PhantomData<&'m ()>,
}

impl<'m> Headers<'m> {
    fn of(message: &'m BorrowedMessage<'_>) -> Self {
        let mut list = ptr::null_mut();
        // SAFETY: the message is alive; the list belongs to it and lives as long.
        let err = unsafe { rdk::rd_kafka_message_headers(message.ptr(), &mut list) };
        if err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            list = ptr::null_mut();
        }
        Self {
            list,
            next: 0,
            message: std::marker::PhantomData,
        }
    }
}

impl<'m> Iterator for Headers<'m> {
    type Item = (&'m [u8], Option<&'m [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.list.is_null() {
            return None;
        }
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the list is alive; an index behind its end is an error and nothing else.
        let err = unsafe {
            rdk::rd_kafka_header_get_all(self.list, self.next, &mut name, &mut value, &mut size)
        };
        if err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        self.next += 1;
        // SAFETY: name is a string, value has `size` bytes where it is not null; both live as long as the message.
        unsafe {
            let name = CStr::from_ptr(name).to_bytes();
            let value = (!value.is_null()).then(|| slice::from_raw_parts(value.cast::<u8>(), size));
            Some((name, value))
        }
    }
}
