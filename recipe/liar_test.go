package recipe_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A lie changes the answer to a request. It gets what follows the answer's header, and the error as
// *code. It returns nil for an answer that it leaves as it is.
type lie func(op zktest.Op, request, body []byte, code *int32) []byte

// A liar is a client's connection to a server that gives wrong answers to share percent of the
// requests. With each answer it sends an event, if there is one.
type liar struct {
	net.Conn
	lie   lie
	share int
	event []byte

	mu     sync.Mutex // guards what follows
	shaken bool
	asked  map[int32][]byte // requests by their numbers, without length and header
	kinds  map[int32]zktest.Op

	out bytes.Buffer // owned by the reader
	rng *rand.Rand
}

func lyingDial(dial func(context.Context, string, string) (net.Conn, error), l lie, share int, event []byte) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &liar{Conn: conn, lie: l, share: share, event: event, asked: map[int32][]byte{}, kinds: map[int32]zktest.Op{},
			rng: rand.New(rand.NewPCG(uint64(share), 1))}, nil
	}
}

// Write notes what is asked. A session writes each frame at once.
func (l *liar) Write(p []byte) (int, error) {
	l.mu.Lock()
	if l.shaken {
		xid := int32(binary.BigEndian.Uint32(p[4:]))
		l.asked[xid], l.kinds[xid] = bytes.Clone(p[12:]), zktest.Op(binary.BigEndian.Uint32(p[8:]))
	}
	l.shaken = true
	l.mu.Unlock()
	return l.Conn.Write(p)
}

func (l *liar) Read(p []byte) (int, error) {
	for l.out.Len() == 0 {
		frame, err := frameFrom(l.Conn)
		if err != nil {
			return 0, err
		}
		for _, f := range l.instead(frame) {
			l.out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(f))))
			l.out.Write(f)
		}
	}
	return l.out.Read(p)
}

func frameFrom(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(r, frame)
	return frame, err
}

// instead returns what the client gets in place of a frame.
func (l *liar) instead(frame []byte) (frames [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	xid := int32(binary.BigEndian.Uint32(frame))
	request, ok := l.asked[xid]
	if !ok { // the handshake, or an event
		return [][]byte{frame}
	}
	delete(l.asked, xid)
	if l.event != nil {
		frames = append(frames, l.event)
	}
	code := int32(binary.BigEndian.Uint32(frame[12:]))
	if l.lie != nil && l.rng.IntN(100) < l.share {
		if body := l.lie(l.kinds[xid], request, frame[16:], &code); body != nil {
			frame = append(binary.BigEndian.AppendUint32(frame[:12:12], uint32(code)), body...)
		}
	}
	return append(frames, frame)
}

// What frames consist of.
const (
	errorResult = -1
	statSize    = 68
)

func appendInts(p []byte, values ...int32) []byte {
	for _, v := range values {
		p = binary.BigEndian.AppendUint32(p, uint32(v))
	}
	return p
}

func appendText(p []byte, s string) []byte { return append(appendInts(p, int32(len(s))), s...) }

func eventOf(kind int32, path string) []byte {
	return appendText(appendInts(nil, -1, -1, -1, 0, kind, 3), path)
}

// A result is one of the results of a multi.
type result struct {
	kind int32
	body []byte
}

// resultsOf takes the answer to a multi apart.
func resultsOf(p []byte) (results []result) {
	for len(p) >= 9 && p[4] == 0 {
		kind, size := int32(binary.BigEndian.Uint32(p)), 0
		switch p = p[9:]; zktest.Op(kind) {
		case zktest.OpCreate:
			size = 4 + int(binary.BigEndian.Uint32(p))
		case zktest.OpSetData:
			size = statSize
		case errorResult:
			size = 4
		}
		results, p = append(results, result{kind, p[:size]}), p[size:]
	}
	return results
}

func appendResults(p []byte, results []result) []byte {
	for _, r := range results {
		p = append(append(appendInts(p, r.kind), 0, 0, 0, 0, 0), r.body...)
	}
	return append(appendInts(p, -1), 1, 0xff, 0xff, 0xff, 0xff)
}
