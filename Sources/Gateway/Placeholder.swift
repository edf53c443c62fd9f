/// Placeholder of the first commit; the room is filled by the next ones.
