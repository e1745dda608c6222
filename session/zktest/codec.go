package zktest

import (
	"encoding/binary"
	"slices"
	"strings"
)

// maxFrame is the longest frame a server accepts: ZooKeeper's default of jute.maxbuffer, one byte
// less than 1 MiB.
const maxFrame = 0xfffff

// decoder reads ZooKeeper's wire format (jute): big-endian integers, buffers and strings behind a
// 32-bit length, vectors behind a 32-bit count.
//
// It never fails half-way: the first malformed value sets bad, and from then on every value reads
// as zero. Callers check bad once, at the end.
type decoder struct {
	b    []byte
	bad  bool
	null bool // a string that must not be null was
	pure bool // a list of permissions must not be null either

	kinds bool // see Release.multiKeepsKinds
}

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) int32() int32 {
	if v := d.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if v := d.take(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

func (d *decoder) bool() bool {
	v := d.take(1)
	return v != nil && v[0] != 0
}

// buffer returns a copy, so that what a znode holds never shares memory with a connection. A length
// of -1 is the null buffer, which is not the empty one.
func (d *decoder) buffer() []byte {
	n := d.int32()
	if n == -1 || d.bad {
		return nil
	}
	v := d.take(int(n))
	if d.bad {
		return nil
	}
	return append([]byte{}, v...)
}

// nullString stands for a string whose length was -1. No valid name contains NUL, so it fails every
// later check in the way a null fails in the server.
const nullString = "\x00null"

// string reads text as a Java server does: bytes that are not UTF-8 become U+FFFD.
func (d *decoder) string() string {
	n := d.int32()
	if n == -1 {
		return nullString
	}
	return strings.ToValidUTF8(string(d.take(int(n))), "\uFFFD")
}

// path reads a string that must not be null. A null can be read all the same: a server fails on it
// later.
func (d *decoder) path() string {
	s := d.string()
	if s == nullString {
		d.null = true
	}
	return s
}

// count reads a vector's length; a null vector reads as empty. Every element takes at least four
// bytes, so a count that is too large for the frame is wrong. It would only make us allocate
// memory.
func (d *decoder) count() int {
	n := int(d.int32())
	if n > len(d.b)/4 {
		d.bad = true
	}
	if n < 0 || d.bad {
		return 0
	}
	return n
}

func (d *decoder) strings() []string {
	n := d.count()
	list := make([]string, 0, n)
	for range n {
		list = append(list, d.path())
	}
	return list
}

func (d *decoder) acls() []grant {
	if d.pure && len(d.b) >= 4 && int32(binary.BigEndian.Uint32(d.b)) == -1 {
		d.null = true
	}
	n := d.count()
	list := make([]grant, 0, n)
	for range n {
		list = append(list, grant{Perms: d.int32(), Scheme: d.string(), ID: d.string()})
	}
	return list
}

// encoder appends values in the same format.
type encoder struct{ b []byte }

func (w *encoder) int32(v int32)   { w.b = binary.BigEndian.AppendUint32(w.b, uint32(v)) }
func (w *encoder) int64(v int64)   { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }
func (w *encoder) string(s string) { w.int32(int32(len(s))); w.b = append(w.b, s...) }

func (w *encoder) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
		return
	}
	w.b = append(w.b, 0)
}

func (w *encoder) buffer(v []byte) {
	if v == nil {
		w.int32(-1)
		return
	}
	w.b = slices.Grow(w.b, 4+len(v))
	w.int32(int32(len(v)))
	w.b = append(w.b, v...)
}

func (w *encoder) strings(list []string) {
	w.int32(int32(len(list)))
	for _, s := range list {
		w.string(s)
	}
}

func (w *encoder) acls(list []grant) {
	w.int32(int32(len(list)))
	for _, a := range list {
		w.int32(a.Perms)
		w.string(a.Scheme)
		w.string(a.ID)
	}
}

func (w *encoder) stat(s Stat) {
	w.b = slices.Grow(w.b, 68)
	w.int64(s.Czxid)
	w.int64(s.Mzxid)
	w.int64(s.Ctime)
	w.int64(s.Mtime)
	w.int32(s.Version)
	w.int32(s.Cversion)
	w.int32(s.Aversion)
	w.int64(s.EphemeralOwner)
	w.int32(s.DataLength)
	w.int32(s.NumChildren)
	w.int64(s.Pzxid)
}

// frame returns body behind its length, ready for the wire.
func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))), body...)
}
