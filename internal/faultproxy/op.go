package faultproxy

import "fmt"

// Op is the operation of a request, and of the reply that answers it.
type Op int32

// ZooKeeper's operation codes (org.apache.zookeeper.ZooDefs.OpCode), as far as tests name them.
const (
	OpCreate          Op = 1
	OpDelete          Op = 2
	OpExists          Op = 3
	OpGetData         Op = 4
	OpSetData         Op = 5
	OpGetACL          Op = 6
	OpSetACL          Op = 7
	OpGetChildren     Op = 8
	OpSync            Op = 9
	OpPing            Op = 11
	OpGetChildren2    Op = 12
	OpCheck           Op = 13
	OpMulti           Op = 14
	OpCreate2         Op = 15
	OpRemoveWatches   Op = 18
	OpCreateContainer Op = 19
	OpCreateTTL       Op = 21
	OpCloseSession    Op = -11
	OpAuth            Op = 100
	OpSetWatches      Op = 101
	OpAddWatch        Op = 106
)

// What has no operation code gets one here, outside of ZooKeeper's range.
const (
	OpConnect Op = -1000 - iota // the first frame each way
	OpEvent                     // a watch event, to the client
	OpRaw                       // bytes that are no frame, or a reply to nothing
	OpAny                       // only to match: every request but connect and ping
)

var opNames = map[Op]string{
	OpCreate: "create", OpDelete: "delete", OpExists: "exists", OpGetData: "getData", OpSetData: "setData",
	OpGetACL: "getACL", OpSetACL: "setACL", OpGetChildren: "getChildren", OpSync: "sync", OpPing: "ping",
	OpGetChildren2: "getChildren2", OpCheck: "check", OpMulti: "multi", OpCreate2: "create2",
	OpCreateContainer: "createContainer", OpCreateTTL: "createTTL", OpCloseSession: "closeSession",
	OpAuth: "auth", OpSetWatches: "setWatches", OpRemoveWatches: "removeWatches", OpAddWatch: "addWatch",
	OpConnect: "connect", OpEvent: "event", OpRaw: "raw", OpAny: "any",
}

// String returns ZooKeeper's name of the operation.
func (o Op) String() string {
	if name, ok := opNames[o]; ok {
		return name
	}
	return fmt.Sprintf("op(%d)", int32(o))
}

// hasPath tells whether the request's body starts with a path.
func (o Op) hasPath() bool {
	switch o {
	case OpCreate, OpDelete, OpExists, OpGetData, OpSetData, OpGetACL, OpSetACL, OpGetChildren, OpSync,
		OpGetChildren2, OpCheck, OpCreate2, OpCreateContainer, OpCreateTTL, OpRemoveWatches, OpAddWatch:
		return true
	}
	return false
}

// matches tells whether a frame's operation is the one asked for.
func (o Op) matches(got Op) bool {
	if o == OpAny {
		return got != OpConnect && got != OpPing && got != OpEvent && got != OpRaw
	}
	return o == got
}
