//! Who may do what: grants, and the stores that they are read from.
