// Etcd is one candidate on etcd as a process, by Election of its package concurrency or by
// leaderelection of client-go, clients of its Mutex, or a server of etcd. A candidate prints JSON
// lines as examples/candidate does and obeys "resign" and "quit" on stdin. Arguments: kind,
// endpoints, path, id, the time until a silent leader is replaced in ms, time between beats in ms;
// for clients of the Mutex: mutex, endpoints, path, how many, for how many ms, after how many ms, how
// many ms nobody releases it after an acquisition, and 1.
//
// It is a module of its own, because it depends on a hundred times as much as the other candidates
// do.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) == 6 && os.Args[1] == "server" {
		log.Fatal(serve(os.Args[2], os.Args[3], os.Args[4], os.Args[5]))
	}
	if len(os.Args) == 9 && os.Args[1] == "mutex" {
		if err := takeInTurn(os.Args[2], os.Args[3], os.Args[4:8]); err != nil {
			log.Fatal(err)
		}
		return
	}
	if len(os.Args) != 7 {
		log.Fatal("want kind, endpoints, path, id, timeout in ms, beat in ms")
	}
	timeout, err := strconv.Atoi(os.Args[5])
	if err != nil {
		log.Fatal(err)
	}
	beat, err := strconv.Atoi(os.Args[6])
	if err != nil {
		log.Fatal(err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(os.Args[2], ","), DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		log.Fatal(err)
	}
	h := &host{client: client, path: os.Args[3], id: os.Args[4], timeout: time.Duration(timeout) * time.Millisecond,
		beat: time.Duration(beat) * time.Millisecond, commands: make(chan string)}
	go h.read()
	stand := map[string]func() (bool, error){"etcd": h.concurrency, "client-go": h.clientGo}[os.Args[1]]
	if stand == nil {
		log.Fatalf("kind %q is unknown", os.Args[1])
	}
	for done := false; !done; {
		if done, err = stand(); err != nil {
			h.write("error", "error", err.Error())
			time.Sleep(100 * time.Millisecond)
		}
	}
	h.write("left")
}

type host struct {
	client        *clientv3.Client
	path, id      string
	timeout, beat time.Duration
	commands      chan string // from stdin

	mu sync.Mutex // guards stdout, and makes the order of the lines that of their stamps
}

// lead tells of a term until it is lost or is to be given away. It is done after "quit".
func (h *host) lead(token int64, lost <-chan struct{}, leads func() bool) (done bool) {
	h.write("elected", "token", token)
	reason := ""
	ticker := time.NewTicker(h.beat)
	defer ticker.Stop()
	for reason == "" {
		h.writeIf(leads, "beat", "token", token)
		select {
		case command := <-h.commands:
			reason, done = "resigned", command == "quit"
		case <-lost:
			reason = "lost"
		case <-ticker.C:
		}
	}
	h.write("deposed", "token", token, "reason", reason)
	return done
}

// idle obeys until ctx ends, while another one leads. It reports whether "quit" was said.
func (h *host) idle(ctx context.Context) (quit bool) {
	for {
		select {
		case command := <-h.commands:
			if command == "quit" {
				return true
			}
			h.write("error", "error", "cannot resign: not leading")
		case <-ctx.Done():
			return false
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
