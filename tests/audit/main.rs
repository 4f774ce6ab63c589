//! `segue audit`: keys, exports, proofs, tiles and witnesses, by the real binary and by programs of others.

mod exports;
mod history;
mod independent;
mod proofs;
mod put_back;
mod witness;
