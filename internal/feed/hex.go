package feed

import "fmt"

// Hex writes the id of a session as ZooKeeper's logs and tools do.
func Hex(session int64) string { return fmt.Sprintf("0x%x", uint64(session)) }
