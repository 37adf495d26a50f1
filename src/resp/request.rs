//! What the decoder yields: requests, their arguments and where these are.

use std::fmt;

#[cfg(doc)]
use super::Decoder;

/// What a call of [`Decoder::next`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes are needed.
    Need,
    /// A request: [`Decoder::request`].
    Request,
    /// The end of a request that was passed over: [`Decoder::args`] has the lengths of its first 16 arguments, [`Decoder::count`] how many it had,
    /// [`Decoder::name`] the first one's first 128 bytes.
    Oversized,
}

/// What a call of [`Decoder::next`] came to, and how many bytes of `buf` from its start are finished with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    pub step: Step,
    pub consumed: usize,
}

/// The place of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    pub start: usize,
    pub len: usize,
}

/// The arguments of a request, the command's name first. Their bytes are not printed, for they may hold a secret.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    places: &'a [Arg],
    bytes: &'a [u8],
}

impl<'a> Args<'a> {
    /// `places` within `bytes`; a place outside is read as an empty argument.
    pub fn new(places: &'a [Arg], bytes: &'a [u8]) -> Self {
        Self { places, bytes }
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.places.get(index).map(|place| slice(self.bytes, place))
    }

    /// The arguments from `first` on.
    pub fn from(&self, first: usize) -> Args<'a> {
        Args {
            places: self.places.get(first..).unwrap_or_default(),
            bytes: self.bytes,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.places.iter().map(move |place| slice(bytes, place))
    }
}

fn slice<'a>(bytes: &'a [u8], place: &Arg) -> &'a [u8] {
    bytes
        .get(place.start..place.start + place.len)
        .unwrap_or_default()
}

impl PartialEq for Args<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lens = self.iter().map(<[u8]>::len);
        write!(f, "Args of ")?;
        f.debug_list().entries(lens).finish()
    }
}
