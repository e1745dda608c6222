package hold

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// command is a command of JDWP: its set and its number in that.
type command [2]byte

// The commands in use, by the names of the protocol's specification.
var (
	classesBySignature = command{1, 2}  // VirtualMachine.ClassesBySignature
	idSizes            = command{1, 7}  // VirtualMachine.IDSizes
	methodsOf          = command{2, 5}  // ReferenceType.Methods
	constantPool       = command{2, 18} // ReferenceType.ConstantPool
	bytecodes          = command{6, 3}  // Method.Bytecodes
	threadName         = command{11, 1} // ThreadReference.Name
	resumeThread       = command{11, 3} // ThreadReference.Resume
	setEvent           = command{15, 1} // EventRequest.Set
	clearEvent         = command{15, 2} // EventRequest.Clear
	composite          = command{64, 100}
)

const (
	kindBreakpoint     = 2
	suspendEventThread = 1
	modifierCount      = 1
	modifierLocation   = 7
)

// breakpointOnce asks for a breakpoint that stops the first thread that arrives, and no other. The
// JVM applies the modifiers in their order to every breakpoint that is reached, so the count must
// come last: before the location it would count what happens elsewhere.
func breakpointOnce(at location) []byte {
	b := append([]byte{kindBreakpoint, suspendEventThread}, u32(2)...)
	b = append(b, modifierLocation, at.tag)
	b = append(append(append(b, u64(at.class)...), u64(at.method)...), u64(at.index)...)
	return append(append(b, modifierCount), u32(1)...)
}

const (
	headerLen  = 11
	replyFlag  = 0x80
	maxPacket  = 64 << 20
	helloWords = "JDWP-Handshake"
)

func shakeHands(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, helloWords); err != nil {
		return err
	}
	answer := make([]byte, len(helloWords))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if string(answer) != helloWords {
		return fmt.Errorf("hold: no JVM that listens for a debugger, it says %q", answer)
	}
	return nil
}

// wire is a connection that speaks JDWP.
type wire struct {
	conn    net.Conn
	onEvent func([]byte)  // called by the goroutine that reads, so it must not wait
	done    chan struct{} // closed when the connection is over
	err     error         // why; to be read after done

	write sync.Mutex // one packet at a time; no other lock is taken under it

	mu      sync.Mutex // guards what follows
	last    uint32     // id of a packet
	waiting map[uint32]chan reply
}

type reply struct {
	code uint16
	body []byte
}

func newWire(conn net.Conn, onEvent func([]byte)) *wire {
	w := &wire{conn: conn, onEvent: onEvent, done: make(chan struct{}), waiting: map[uint32]chan reply{}}
	go func() { // ends with the connection, which close ends
		w.err = w.read()
		conn.Close()
		close(w.done)
	}()
	return w
}

func (w *wire) close() error {
	err := w.conn.Close()
	<-w.done
	if errors.Is(err, net.ErrClosed) {
		return nil // the JVM has ended it
	}
	return err
}

// read passes on replies and events until the connection ends.
func (w *wire) read() error {
	for head := make([]byte, headerLen); ; {
		if _, err := io.ReadFull(w.conn, head); err != nil {
			return fmt.Errorf("the debugger's connection is over: %w", err)
		}
		size := binary.BigEndian.Uint32(head)
		if size < headerLen || size > maxPacket {
			return fmt.Errorf("a packet of %d bytes", size)
		}
		body := make([]byte, size-headerLen)
		if _, err := io.ReadFull(w.conn, body); err != nil {
			return fmt.Errorf("the debugger's connection is over: %w", err)
		}
		switch id := binary.BigEndian.Uint32(head[4:]); {
		case head[8]&replyFlag != 0:
			w.mu.Lock()
			to := w.waiting[id]
			delete(w.waiting, id)
			w.mu.Unlock()
			if to != nil {
				to <- reply{binary.BigEndian.Uint16(head[9:]), body} // has room for one
			}
		case command(head[9:11]) == composite:
			w.onEvent(body)
		}
	}
}

// call sends a command and returns the body of its reply. A call that is given up ends the
// connection, because nobody would know what it has done.
func (w *wire) call(ctx context.Context, c command, body []byte) (*reader, error) {
	answer := make(chan reply, 1)
	w.mu.Lock()
	w.last++
	id := w.last
	w.waiting[id] = answer
	w.mu.Unlock()
	packet := append(u32(uint32(headerLen+len(body))), u32(id)...)
	packet = append(append(packet, 0, c[0], c[1]), body...)
	w.write.Lock()
	_, err := w.conn.Write(packet)
	w.write.Unlock()
	if err != nil {
		w.conn.Close()
		return nil, err
	}
	select {
	case r := <-answer:
		if r.code != 0 {
			return nil, fmt.Errorf("JDWP command %d.%d: error %d", c[0], c[1], r.code)
		}
		return &reader{b: r.body}, nil
	case <-w.done:
		return nil, w.err
	case <-ctx.Done():
		w.conn.Close()
		return nil, context.Cause(ctx)
	}
}

func u32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// reader reads what a packet or a class holds. What is not there any more is zero, and short tells
// of it.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.short = nil, true
		return make([]byte, max(0, min(n, 8)))
	}
	head := r.b[:n]
	r.b = r.b[n:]
	return head
}

func (r *reader) skip(n int)  { r.take(n) }
func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) str() string { return string(r.take(int(r.u32()))) }
