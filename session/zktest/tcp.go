package zktest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

// tcpNetwork serves clients on loopback sockets. It owns goroutines: one per listener, two per
// connection.
type tcpNetwork struct {
	e    *Ensemble
	work sync.WaitGroup

	mu        sync.Mutex // guards the maps
	listeners map[*server]net.Listener
	hosts     map[string]*Host // by the client's address, noted by Host.Dial
}

func newTCP(e *Ensemble) *tcpNetwork {
	return &tcpNetwork{e: e, listeners: map[*server]net.Listener{}, hosts: map[string]*Host{}}
}

// listen opens the server's port; a restarted server gets its old one.
func (n *tcpNetwork) listen(s *server) error {
	addr := s.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if s.addr == "" { // else somebody may be reading it
		s.addr = l.Addr().String()
	}
	n.mu.Lock()
	n.listeners[s] = l
	n.mu.Unlock()
	n.work.Go(func() { n.accept(s, l) })
	return nil
}

func (n *tcpNetwork) unlisten(s *server) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.listeners[s]; l != nil {
		l.Close()
		delete(n.listeners, s)
	}
}

func (n *tcpNetwork) close() {
	for _, s := range n.e.servers {
		n.unlisten(s)
	}
	n.work.Wait()
}

func (n *tcpNetwork) accept(s *server, l net.Listener) {
	for {
		sock, err := l.Accept()
		if err != nil {
			return
		}
		n.work.Go(func() { n.serve(s, sock) })
	}
}

// serve reads frames until the connection ends, while a second goroutine writes what the server has
// queued.
func (n *tcpNetwork) serve(s *server, sock net.Conn) {
	w := &tcpWire{sock: sock, more: make(chan struct{}, 1)}
	var c *conn
	n.e.do(func() {
		if n.e.stopped || s.role == down {
			sock.Close()
			return
		}
		ip, _, _ := net.SplitHostPort(sock.RemoteAddr().String())
		c = n.e.connect(s, nil, w, ip)
	})
	if c == nil {
		return
	}
	n.work.Go(w.writeLoop)
	var err error
	for err == nil {
		var f []byte
		if f, err = readFrame(sock); err == nil {
			n.e.do(func() {
				if c.host == nil {
					c.host = n.hostOf(sock)
				}
				c.arrive(f)
			})
		}
	}
	n.hostOf(sock) // forget one that never sent a frame
	n.e.do(func() {
		if errors.Is(err, errFrame) {
			c.srv.post(c.close)
		} else {
			c.hangup()
		}
	})
}

// hostOf finds the host that dialed. It is known once the first frame has come: the dialer notes
// the address before its caller can send anything.
func (n *tcpNetwork) hostOf(sock net.Conn) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr := sock.RemoteAddr().String()
	h := n.hosts[addr]
	delete(n.hosts, addr)
	return h
}

var errFrame = errors.New("frame too long")

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return nil, errFrame
	}
	f := make([]byte, size)
	_, err := io.ReadFull(r, f)
	return f, err
}

func (n *tcpNetwork) dial(ctx context.Context, h *Host, address string) (net.Conn, error) {
	var d net.Dialer
	sock, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.hosts[sock.LocalAddr().String()] = h
	n.mu.Unlock()
	return sock, nil
}

// tcpWire queues frames for its writing goroutine, so that a client that does not read never stops
// the ensemble.
type tcpWire struct {
	sock net.Conn
	more chan struct{} // carries "something changed", at most one

	mu    sync.Mutex // guards the rest
	queue []byte
	done  bool
}

func (w *tcpWire) write(f []byte) { w.update(func() { w.queue = append(w.queue, f...) }) }

func (w *tcpWire) close(reset bool) {
	if t, ok := w.sock.(*net.TCPConn); ok && reset {
		t.SetLinger(0)
		w.sock.Close() // unblocks the writer, too
	}
	w.update(func() { w.done = true })
}

func (w *tcpWire) update(fn func()) {
	w.mu.Lock()
	fn()
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *tcpWire) writeLoop() {
	defer w.sock.Close()
	for range w.more {
		w.mu.Lock()
		b, done := w.queue, w.done
		w.queue = nil
		w.mu.Unlock()
		if _, err := w.sock.Write(b); err != nil {
			b, done = nil, done || w.waitDone()
		}
		if done {
			return
		}
	}
}

// waitDone waits for the server to close a connection that can not be written any more: the reader
// sees that it has ended, and says so.
func (w *tcpWire) waitDone() bool {
	for range w.more {
		w.mu.Lock()
		done := w.done
		w.mu.Unlock()
		if done {
			break
		}
	}
	return true
}
