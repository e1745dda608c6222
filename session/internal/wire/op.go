package wire

import (
	"encoding/binary"
	"slices"

	"github.com/go-zookeeper/zk"
)

// An Op is one operation of a request. Which fields count depends on its kind.
type Op struct {
	Kind    int32
	Path    string
	Data    []byte
	Version int32    // of delete, setData and check
	Flags   int32    // of a create: those of package zk
	ACL     []zk.ACL // of a create
	Body    []byte   // of a kind that has no other field: everything after the header
}

// appendTo appends the operation in the form of org.apache.zookeeper.proto. The last byte of a read
// is its watch flag. It is set later, see [Hooks.WantsWatch].
func (op *Op) appendTo(p []byte) []byte {
	switch op.Kind {
	case OpRemoveWatches, OpSetWatches, OpAddWatch:
		return append(p, op.Body...)
	}
	p = appendString(p, op.Path)
	switch op.Kind {
	case OpCreate:
		p = appendBuffer(p, op.Data)
		p = appendInt(p, int32(len(op.ACL)))
		for _, a := range op.ACL {
			p = appendInt(p, a.Perms)
			p = appendString(appendString(p, a.Scheme), a.ID)
		}
		p = appendInt(p, op.Flags)
	case OpSetData:
		p = appendInt(appendBuffer(p, op.Data), op.Version)
	case OpDelete, OpCheck:
		p = appendInt(p, op.Version)
	case OpGetData, OpExists, OpGetChildren2:
		p = append(p, 0)
	}
	return p
}

// leavesWatch reports whether the operation has a watch flag.
func (op *Op) leavesWatch() bool {
	return op.Kind == OpGetData || op.Kind == OpExists || op.Kind == OpGetChildren2
}

// frame returns the whole request. A multi is a list of operations, each with a header before it,
// and a last header that ends the list.
func (r *Request) frame() []byte {
	p := appendInt(make([]byte, lengthSize, frameSize), 0, r.op()) // the number comes later
	if !r.Multi {
		p = r.Ops[0].appendTo(p)
	} else {
		for i := range r.Ops {
			p = r.Ops[i].appendTo(appendMultiHeader(p, r.Ops[i].Kind, 0))
		}
		p = appendMultiHeader(p, -1, 1)
	}
	binary.BigEndian.PutUint32(p, uint32(len(p)-lengthSize))
	return p
}

func appendMultiHeader(p []byte, kind int32, end byte) []byte {
	return appendInt(append(appendInt(p, kind), end), -1)
}

func appendInt(p []byte, values ...int32) []byte {
	p = slices.Grow(p, 4*len(values))
	for _, v := range values {
		p = binary.BigEndian.AppendUint32(p, uint32(v))
	}
	return p
}

func appendString(p []byte, s string) []byte { return append(appendInt(p, int32(len(s))), s...) }

// appendBuffer writes nil with the length -1, as servers do: no data at all is not the same as
// empty data.
func appendBuffer(p, b []byte) []byte {
	if b == nil {
		return appendInt(p, -1)
	}
	return append(appendInt(p, int32(len(b))), b...)
}
