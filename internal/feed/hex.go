package feed

import "strconv"

// Hex writes the id of a session as ZooKeeper's logs and tools do.
func Hex(session int64) string { return "0x" + strconv.FormatUint(uint64(session), 16) }
