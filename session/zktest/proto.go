package zktest

import (
	"fmt"
	"time"
)

// Op is a request's operation code on the wire.
type Op int32

// The operations a server knows. [OpConnect] is not on the wire: it stands for the connect request,
// which has no operation code of its own.
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
	OpReconfig        Op = 16
	OpCheckWatches    Op = 17
	OpRemoveWatches   Op = 18
	OpCreateContainer Op = 19
	OpDeleteContainer Op = 20
	OpCreateTTL       Op = 21
	OpAuth            Op = 100
	OpSetWatches      Op = 101
	OpSASL            Op = 102
	OpAddWatch        Op = 106
	OpError           Op = -1
	OpCreateSession   Op = -10
	OpCloseSession    Op = -11
	OpConnect         Op = -100
)

var opNames = map[Op]string{
	OpCreate: "create", OpDelete: "delete", OpExists: "exists", OpGetData: "getData",
	OpSetData: "setData", OpGetACL: "getACL", OpSetACL: "setACL", OpGetChildren: "getChildren",
	OpSync: "sync", OpPing: "ping", OpGetChildren2: "getChildren2", OpCheck: "check",
	OpMulti: "multi", OpCreate2: "create2", OpReconfig: "reconfig",
	OpCheckWatches:    "checkWatches",
	OpCreateContainer: "createContainer", OpDeleteContainer: "deleteContainer",
	OpCreateTTL: "createTTL", OpAuth: "auth", OpSetWatches: "setWatches",
	OpRemoveWatches: "removeWatches", OpAddWatch: "addWatch", OpSASL: "sasl", OpError: "error",
	OpCreateSession: "createSession", OpCloseSession: "closeSession", OpConnect: "connect",
}

// String returns ZooKeeper's name of the operation.
func (o Op) String() string {
	if name, ok := opNames[o]; ok {
		return name
	}
	return fmt.Sprintf("op(%d)", int32(o))
}

// isWrite says whether o goes through the quorum and consumes a zxid.
func (o Op) isWrite() bool {
	switch o {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpDeleteContainer,
		OpSetData, OpSetACL, OpCheck, OpMulti, OpReconfig, OpCreateSession, OpCloseSession:
		return true
	}
	return false
}

// isKnown says whether a client may send o. Others are answered with [CodeUnimplemented] and the
// connection is closed, as a server does with operations it has never heard of.
func (o Op) isKnown() bool {
	switch o {
	case OpExists, OpGetData, OpGetACL, OpGetChildren, OpGetChildren2, OpSync, OpPing, OpSetWatches,
		OpCheckWatches, OpRemoveWatches, OpAddWatch:
		return true
	}
	return o.isWrite() && o != OpCreateSession && o != OpDeleteContainer
}

// Code is a ZooKeeper error code, as replies carry it.
type Code int32

// The codes a server of this package replies with.
const (
	CodeOK                      Code = 0
	CodeRuntimeInconsistency    Code = -2
	CodeMarshallingError        Code = -5
	CodeUnimplemented           Code = -6
	CodeBadArguments            Code = -8
	CodeNoNode                  Code = -101
	CodeNoAuth                  Code = -102
	CodeBadVersion              Code = -103
	CodeNoChildrenForEphemerals Code = -108
	CodeNodeExists              Code = -110
	CodeNotEmpty                Code = -111
	CodeSessionExpired          Code = -112
	CodeInvalidACL              Code = -114
	CodeAuthFailed              Code = -115
	CodeSessionMoved            Code = -118
	CodeNoWatcher               Code = -121
	CodeReconfigDisabled        Code = -123
)

// Permissions in an [ACL].
const (
	permRead   int32 = 1
	permWrite  int32 = 2
	permCreate int32 = 4
	permDelete int32 = 8
	permAdmin  int32 = 16
	permAll    int32 = 31
)

// grant gives one identity permissions on a znode; an ACL is a list of them.
type grant struct {
	Perms  int32
	Scheme string
	ID     string
}

// Stat is a znode's metadata, counted as a server counts it.
type Stat struct {
	Czxid, Mzxid   int64 // transactions that created it and last set its data
	Ctime, Mtime   int64 // when, in milliseconds since 1970
	Version        int32 // how often its data was set
	Cversion       int32 // how many children were created and deleted
	Aversion       int32 // how often its ACL was set
	EphemeralOwner int64 // session that it ends with; 0 for others, containers too
	DataLength     int32
	NumChildren    int32
	Pzxid          int64 // transaction that last created or deleted a child
}

// eventType is what a watch event reports.
type eventType int32

const (
	nodeCreated         eventType = 1
	nodeDeleted         eventType = 2
	nodeDataChanged     eventType = 3
	nodeChildrenChanged eventType = 4
)

// Create flags, as a create request carries them.
const (
	flagEphemeral  = 1
	flagSequential = 2
	flagContainer  = 4
	flagTTL        = 5
	flagTTLSeq     = 6
)

// containerOwner marks a container znode in its ephemeral owner field.
const containerOwner = -1 << 63

// ttlOwner marks a znode with a time to live there. The lower bits are the time.
const (
	ttlOwner = -1 << 56
	maxTTL   = 1<<40 - 1
)

// timeToLive returns a znode's time to live, or 0.
func timeToLive(owner int64) time.Duration {
	if owner&ttlOwner != ttlOwner {
		return 0
	}
	return time.Duration(owner&maxTTL) * time.Millisecond
}

// isSession tells whether it is a session's id.
func isSession(owner int64) bool {
	return owner != 0 && owner != containerOwner && timeToLive(owner) == 0
}

// args are a request's decoded parameters. One struct serves every operation; which fields count
// follows from op.
type args struct {
	op      Op
	path    string
	data    []byte
	acl     []grant
	flags   int32 // of removeWatches the type, of addWatch the mode
	version int32
	watch   bool
	ttl     int64 // createTTL, in milliseconds

	relZxid                          int64 // setWatches
	dataPaths, existPaths, chldPaths []string

	ops []args // multi
}

// decodeArgs reads the parameters that follow a request's header. Bytes left over are ignored, as
// the real server does.
func decodeArgs(op Op, d *decoder) args {
	a := args{op: op}
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		a.path, a.data, a.acl, a.flags = d.path(), d.buffer(), d.acls(), d.int32()
		if op == OpCreateTTL {
			a.ttl = d.int64()
		}
	case OpDelete:
		a.path, a.version = d.path(), d.int32()
	// These three refuse a null path as they refuse other bad ones. The others fail on it later.
	case OpCheck:
		a.path, a.version = d.string(), d.int32()
	case OpSetData:
		a.path, a.data, a.version = d.string(), d.buffer(), d.int32()
	case OpSetACL:
		a.path, a.acl, a.version = d.string(), d.acls(), d.int32()
	case OpExists, OpGetData, OpGetChildren, OpGetChildren2:
		a.path, a.watch = d.path(), d.bool()
	case OpGetACL, OpSync:
		a.path = d.path()
	case OpSetWatches:
		a.relZxid = d.int64()
		a.dataPaths, a.existPaths, a.chldPaths = d.strings(), d.strings(), d.strings()
	case OpCheckWatches, OpRemoveWatches, OpAddWatch:
		a.path, a.flags = d.path(), d.int32()
	case OpMulti:
		a.ops = decodeMulti(d)
	}
	return a
}

// decodeMulti reads the operations of a multi, each behind a header, up to the header that says
// done.
func decodeMulti(d *decoder) []args {
	var ops []args
	for !d.bad {
		op, done := Op(d.int32()), d.bool()
		d.int32() // an error code that requests do not use
		if done {
			break
		}
		switch op {
		case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
			a := decodeArgs(op, d)
			switch {
			case op == OpCreateTTL:
			case a.flags == flagTTL || a.flags == flagTTLSeq:
				d.bad = true // taken for a createTTL, whose record is longer
			case a.flags == flagContainer:
				a.op = OpCreateContainer // within a multi the flags decide
			case !d.kinds:
				a.op = OpCreate
			case a.flags < 0 || a.flags > flagTTLSeq:
				d.bad = true
			case op == OpCreateContainer:
				a.op = OpCreate2 // both have a Stat in their result
			}
			ops = append(ops, a)
		case OpDelete, OpSetData, OpCheck:
			ops = append(ops, decodeArgs(op, d))
		default:
			d.bad = true
		}
	}
	return ops
}
