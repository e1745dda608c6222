package faultproxy

import "github.com/zkrecipe/zkrecipe/session/zktest"

// Op is the operation of a request, and of the reply that answers it.
type Op zktest.Op

// ZooKeeper's operations, as far as tests name them.
const (
	OpCreate          = Op(zktest.OpCreate)
	OpDelete          = Op(zktest.OpDelete)
	OpExists          = Op(zktest.OpExists)
	OpGetData         = Op(zktest.OpGetData)
	OpSetData         = Op(zktest.OpSetData)
	OpGetACL          = Op(zktest.OpGetACL)
	OpSetACL          = Op(zktest.OpSetACL)
	OpGetChildren     = Op(zktest.OpGetChildren)
	OpSync            = Op(zktest.OpSync)
	OpPing            = Op(zktest.OpPing)
	OpGetChildren2    = Op(zktest.OpGetChildren2)
	OpCheck           = Op(zktest.OpCheck)
	OpMulti           = Op(zktest.OpMulti)
	OpCreate2         = Op(zktest.OpCreate2)
	OpRemoveWatches   = Op(zktest.OpRemoveWatches)
	OpCreateContainer = Op(zktest.OpCreateContainer)
	OpCreateTTL       = Op(zktest.OpCreateTTL)
	OpCloseSession    = Op(zktest.OpCloseSession)
	OpAuth            = Op(zktest.OpAuth)
	OpSetWatches      = Op(zktest.OpSetWatches)
	OpAddWatch        = Op(zktest.OpAddWatch)
)

// What has no operation code gets one here, outside of ZooKeeper's range.
const (
	OpConnect = Op(zktest.OpConnect) // the first frame each way
	OpEvent   = Op(-1000)            // a watch event, to the client
	OpRaw     = Op(-1001)            // bytes that are no frame, or a reply to nothing
	OpAny     = Op(-1002)            // only to match: every request but connect and ping
)

// String returns ZooKeeper's name of the operation.
func (o Op) String() string {
	switch o {
	case OpEvent:
		return "event"
	case OpRaw:
		return "raw"
	case OpAny:
		return "any"
	}
	return zktest.Op(o).String()
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
