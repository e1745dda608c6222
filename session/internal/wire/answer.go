package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"
)

// A Result is what a server answers to one operation. Which fields are set depends on the
// operation's kind.
type Result struct {
	Code     int32 // the error of one operation of a multi; 0: none
	Path     string
	Data     []byte
	Children []string
	Stat     zk.Stat
}

// A decoder reads the fields of a frame. Afterwards err says what was wrong with the frame.
type decoder struct {
	p   []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{ErrProtocol}, args...)...)
	}
	d.p = nil
}

// take returns the next n bytes. The memory is that of the frame: if the caller keeps the bytes, it
// has to copy them.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.p) {
		d.fail("a field of %d bytes where %d are left", n, len(d.p))
		return nil
	}
	b := d.p[:n]
	d.p = d.p[n:]
	return b
}

func (d *decoder) int() int32 {
	b := d.take(4)
	if b == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(b))
}

func (d *decoder) long() int64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

func (d *decoder) string() string { return string(d.take(int(d.int()))) }

// buffer returns a copy of a buffer. The length -1 stands for nil.
func (d *decoder) buffer() []byte {
	n := d.int()
	if n == -1 {
		return nil
	}
	return append([]byte{}, d.take(int(n))...)
}

func (d *decoder) stat() zk.Stat {
	return zk.Stat{
		Czxid: d.long(), Mzxid: d.long(), Ctime: d.long(), Mtime: d.long(),
		Version: d.int(), Cversion: d.int(), Aversion: d.int(),
		EphemeralOwner: d.long(), DataLength: d.int(), NumChildren: d.int(), Pzxid: d.long(),
	}
}

// names returns a list of children. Its memory grows with the bytes that have arrived, not with the
// announced length.
func (d *decoder) names() (names []string) {
	n := d.int()
	if n < 0 {
		d.fail("a list of %d elements", n)
	}
	for range n {
		name := d.string()
		if d.err != nil {
			return nil
		}
		if name == "" || strings.Contains(name, "/") {
			d.fail("%q cannot be the name of a znode", name)
			return nil
		}
		names = append(names, name)
	}
	return names
}

// multiHeader reads the header before each result of a multi.
func (d *decoder) multiHeader() (kind int32, end bool) {
	kind = d.int()
	if b := d.take(1); b != nil {
		end = b[0] != 0
	}
	d.int() // the error, which the result repeats
	return kind, end
}

// result reads the answer to op. More bytes may follow the last field: newer servers may add some.
func (d *decoder) result(op *Op) (r Result) {
	switch op.Kind {
	case OpCreate:
		r.Path = d.string()
		if d.err == nil && !op.creates(r.Path) {
			d.fail("the create of %q is answered with %q", op.Path, r.Path)
		}
	case OpGetData:
		r.Data = d.buffer()
		r.Stat = d.stat()
	case OpGetChildren2:
		r.Children = d.names()
		r.Stat = d.stat()
	case OpExists, OpSetData:
		r.Stat = d.stat()
	case OpSync:
		r.Path = d.string()
	case OpAddWatch:
		d.int()
	}
	return r
}

// creates reports whether the create may be answered with this path: the requested path, with a
// number after it if the znode is sequential.
func (op *Op) creates(path string) bool {
	number, ok := strings.CutPrefix(path, op.Path)
	if op.Flags&zk.FlagSequence == 0 {
		return ok && number == ""
	}
	return ok && isNumber(number)
}

// isNumber reports whether s is a number as servers append it to a name: an int with zeros before
// it, ten characters long. After the largest int servers go on with the smallest, so it may be
// negative.
func isNumber(s string) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	return err == nil && fmt.Sprintf("%010d", n) == s
}

// results reads the body of the answer to r. If the server refused the request as a whole, there is
// no body to read.
func (d *decoder) results(r *Request, code int32) []Result {
	switch {
	case code != 0:
		return nil
	case r.Multi:
		return d.multi(r.Ops)
	}
	return []Result{d.result(&r.Ops[0])}
}

// multi reads the results of a multi. There is one for each operation: a result of its kind, or an
// error. If one is an error, nothing was carried out, and one of the errors says why.
func (d *decoder) multi(ops []Op) []Result {
	results := make([]Result, 0, len(ops))
	refused := false
	for n := 0; ; n++ {
		kind, end := d.multiHeader()
		switch {
		case d.err != nil:
			return nil
		case end && n == len(ops):
			if refused && failed(results) < 0 {
				d.fail("a multi was refused without an error")
			}
			return results
		case end, n == len(ops):
			d.fail("a multi of %d operations is answered with another number of results", len(ops))
		case kind == errorResult:
			refused = true
			results = append(results, Result{Code: d.int()})
		case kind == ops[n].Kind:
			results = append(results, d.result(&ops[n]))
		default:
			d.fail("result %d of a multi has the type %d; its operation has %d", n, kind, ops[n].Kind)
		}
	}
}

// failed returns the index of the first result with an error, or -1.
func failed(results []Result) int {
	return slices.IndexFunc(results, func(r Result) bool { return r.Code != 0 })
}
