// Zklock is one candidate on the lock of github.com/go-zookeeper/zk as a process: the holder of the
// lock leads. It prints JSON lines as examples/candidate does and obeys "resign" and "quit" on
// stdin. Arguments: kind, connect string, path, id, session timeout in ms, time between beats in
// ms, and perhaps digest credentials user:password.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 7 {
		log.Fatal("want kind, connect string, path, id, timeout in ms, beat in ms")
	}
	timeout, err := strconv.Atoi(os.Args[5])
	if err != nil {
		log.Fatal(err)
	}
	beat, err := strconv.Atoi(os.Args[6])
	if err != nil {
		log.Fatal(err)
	}
	h := &host{path: os.Args[3], id: os.Args[4], beat: time.Duration(beat) * time.Millisecond,
		acl: zk.WorldACL(zk.PermAll), commands: make(chan string),
		wakes: make(chan struct{}, 1), told: map[string]bool{}}
	if err := h.run(strings.Split(os.Args[2], ","), time.Duration(timeout)*time.Millisecond, os.Args[7:]); err != nil {
		log.Fatal(err)
	}
}

type host struct {
	path, id string
	beat     time.Duration
	acl      []zk.ACL
	conn     *zk.Conn
	commands chan string // from stdin

	// lost counts what ends a term by the advice of zk's documentation: any loss of the connection.
	// The lock itself does not tell.
	lost  atomic.Int64
	wakes chan struct{}   // a leader, at each loss
	told  map[string]bool // the znodes told; of the goroutine of run

	mu sync.Mutex // guards stdout, and makes the order of the lines that of their stamps
}

func (h *host) run(servers []string, timeout time.Duration, auth []string) error {
	conn, events, err := zk.Connect(servers, timeout, zk.WithLogger(log.New(os.Stderr, "", 0)))
	if err != nil {
		return err
	}
	defer conn.Close()
	h.conn = conn
	if len(auth) > 0 {
		if err := conn.AddAuth("digest", []byte(auth[0])); err != nil {
			return err
		}
		h.acl = zk.AuthACL(zk.PermAll)
	}
	go h.follow(events)
	go h.read()
	for {
		switch done, err := h.stand(); {
		case err != nil:
			h.write("error", "error", err.Error())
			time.Sleep(100 * time.Millisecond)
		case done:
			return nil
		}
	}
}

// stand waits for the lock, leads, and unlocks. It is done after "quit".
func (h *host) stand() (done bool, err error) {
	lock := zk.NewLock(h.conn, h.path, h.acl)
	locked := make(chan error, 1)
	go func() { locked <- lock.LockWithData([]byte(h.id)) }()
	token := h.joined(locked)
	lost := h.lost.Load()
	for {
		select {
		case err := <-locked:
			if err != nil {
				return false, err // its znode, if it was created, stays until the session ends
			}
			return h.lead(lock, token, lost)
		case command := <-h.commands:
			if command == "quit" {
				h.conn.Close() // zk.Lock cannot be told to stop waiting: the session's end does it
				h.write("left")
				return true, nil
			}
			h.write("error", "error", "cannot resign: not leading")
		}
	}
}

// joined finds the znode of this session that has not been told yet: zk.Lock keeps its name to
// itself. It gives up when there is an outcome, which it puts back.
func (h *host) joined(locked chan error) (token int64) {
	for {
		children, _, _ := h.conn.Children(h.path)
		for _, name := range children {
			if h.told[name] {
				continue
			}
			_, stat, err := h.conn.Exists(h.path + "/" + name)
			if err == nil && stat.EphemeralOwner == h.conn.SessionID() {
				h.told[name] = true
				h.write("joined", "node", h.path+"/"+name)
				return stat.Czxid
			}
		}
		select {
		case err := <-locked:
			locked <- err
			if err != nil {
				return 0
			}
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (h *host) lead(lock *zk.Lock, token, lost int64) (done bool, err error) {
	leads := func() bool { return h.lost.Load() == lost && h.conn.State() == zk.StateHasSession }
	h.write("elected", "token", token)
	reason := "connection"
	ticker := time.NewTicker(h.beat)
	defer ticker.Stop()
	for leads() && reason == "connection" {
		h.writeIf(leads, "beat", "token", token)
		select {
		case command := <-h.commands:
			reason, done = "resigned", command == "quit"
		case <-h.wakes:
		case <-ticker.C:
		}
	}
	h.write("deposed", "token", token, "reason", reason)
	if err := lock.Unlock(); err != nil && err != zk.ErrNoNode {
		return done, err
	}
	h.write("left")
	return done, nil
}

func (h *host) follow(events <-chan zk.Event) {
	for ev := range events {
		switch ev.State {
		case zk.StateHasSession:
			h.write("session", "session", fmt.Sprintf("0x%x", uint64(h.conn.SessionID())))
		case zk.StateDisconnected, zk.StateExpired:
			if ev.Type == zk.EventSession {
				h.lost.Add(1)
				select {
				case h.wakes <- struct{}{}:
				default:
				}
				h.write("suspended")
			}
		}
	}
}

func (h *host) read() {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		h.commands <- strings.TrimSpace(in.Text())
	}
	os.Exit(1) // the process that started us is gone
}

func (h *host) write(event string, fields ...any) {
	h.writeIf(func() bool { return true }, event, fields...)
}

// writeIf writes a line if ok says so before the stamp and after it.
func (h *host) writeIf(ok func() bool, event string, fields ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !ok() {
		return
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		log.Fatal(err)
	}
	if !ok() {
		return
	}
	l := map[string]any{"t": ts.Nano(), "id": h.id, "event": event}
	for i := 0; i < len(fields); i += 2 {
		l[fields[i].(string)] = fields[i+1]
	}
	text, err := json.Marshal(l)
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(append(text, '\n'))
}
