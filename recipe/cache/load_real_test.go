package cache_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestMain(m *testing.M) {
	m.Run()
	ensemble.CloseShared()
}

// plant creates n znodes below path on real servers, in directories of 100, and returns all paths.
func plant(ctx context.Context, s *session.Session, path string, n int) (all []string, err error) {
	create := func(ops []any) {
		if _, e := s.Multi(ctx, ops...); err == nil {
			err = e
		}
	}
	create([]any{&zk.CreateRequest{Path: path}})
	all = append(all, path)
	for dir := 0; len(all) < n; dir++ {
		var ops []any
		for i := range min(100, n-len(all)) {
			name := fmt.Sprintf("%s/d%03d", path, dir)
			if i > 0 {
				name += fmt.Sprintf("/n%02d", i)
			}
			ops, all = append(ops, &zk.CreateRequest{Path: name, Data: make([]byte, 100)}), append(all, name)
		}
		create(ops)
	}
	return all, err
}

// rawReads lists and reads each of the paths with watches, on a connection of its own, all requests
// sent without waiting for an answer. It returns how long that took.
func rawReads(addr string, paths []string) (time.Duration, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	hello := make([]byte, 4+4+8+4+8+4+16)
	binary.BigEndian.PutUint32(hello, uint32(len(hello)-4))
	binary.BigEndian.PutUint32(hello[16:], 10_000)
	binary.BigEndian.PutUint32(hello[28:], 16)
	if _, err := conn.Write(hello); err != nil {
		return 0, err
	}
	in := bufio.NewReaderSize(conn, 64<<10)
	if err := skipFrame(in); err != nil {
		return 0, err
	}
	begun := time.Now()
	go func() {
		out := bufio.NewWriterSize(conn, 64<<10)
		for i, path := range paths {
			for _, op := range []int{4, 12} { // getData, getChildren2
				p := binary.BigEndian.AppendUint32(nil, uint32(4+4+4+len(path)+1))
				p = binary.BigEndian.AppendUint32(p, uint32(i+1))
				p = binary.BigEndian.AppendUint32(p, uint32(op))
				p = binary.BigEndian.AppendUint32(p, uint32(len(path)))
				out.Write(append(append(p, path...), 1))
			}
		}
		out.Flush()
	}()
	for range 2 * len(paths) {
		if err := skipFrame(in); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}

func skipFrame(in *bufio.Reader) error {
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return err
	}
	_, err := in.Discard(int(binary.BigEndian.Uint32(size[:])))
	return err
}

var znodes = flag.Int("znodes", 1000, "how many znodes the benchmarks load")

// BenchmarkLoad compares the load of a tree with reading its znodes raw, in turns on one server,
// and counts the reads after a reconnect in which one in a hundred has changed.
func BenchmarkLoad(b *testing.B) {
	b.Run("whole-tree", func(b *testing.B) { measureLoad(b, nil) })
	b.Run("one-shot", func(b *testing.B) { measureLoad(b, func(string) bool { return true }) })
}

func measureLoad(b *testing.B, keep func(string) bool) {
	nodes := *znodes
	e := ensemble.Shared(b, ensemble.Config{Servers: 1})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	check := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	var line breakable
	client, err := session.Open(e.ConnectString(), session.Config{Dial: line.dial})
	check(err)
	defer client.Close()
	writer, err := session.Open(e.ConnectString(), session.Config{})
	check(err)
	defer writer.Close()
	s, err := writer.Session(ctx)
	check(err)
	paths, err := plant(ctx, s, fmt.Sprintf("/load%d", time.Now().UnixNano()), nodes)
	check(err)
	_, err = client.Session(ctx)
	check(err)
	all := map[string][]float64{}
	add := func(unit string, x float64) { all[unit] = append(all[unit], x) }
	for b.Loop() {
		raw, err := rawReads(e.Servers()[0].Addr(), paths)
		check(err)
		before := heap()
		begun := time.Now()
		c, err := cache.New(client, paths[0], cache.Config{Keep: keep, Recheck: -1, MaxNodes: nodes + 1000})
		check(err)
		check(c.Wait(ctx))
		load := time.Since(begun)
		add("raw-ms", raw.Seconds()*1000)
		add("load-ms", load.Seconds()*1000)
		add("load/raw", load.Seconds()/raw.Seconds())
		add("B/znode", float64(heap()-before)/float64(nodes))
		if n := c.Status().Nodes; n < nodes {
			b.Fatalf("%d nodes", n)
		}
		reads := c.Status().Counts.Reads
		var changed int
		line.without(func() { changed, err = changeSome(ctx, s, paths[0]) })
		check(err)
		check(c.Fresh(ctx))
		add("reads/changed", float64(c.Status().Counts.Reads-reads)/float64(changed))
		c.Close()
	}
	for unit, x := range all {
		slices.Sort(x)
		b.ReportMetric(x[len(x)/2], unit) // the median: the machine may have other things to do
	}
}

// changeSome sets 80 znodes below path, as plant has made them, creates 10, and deletes 10 that
// were created before. It returns how many have changed, with the 10 directories, whose lists have
// changed.
func changeSome(ctx context.Context, s *session.Session, path string) (changed int, err error) {
	for dir := range 10 {
		var ops []any
		for i := range 8 {
			ops = append(ops, &zk.SetDataRequest{Path: fmt.Sprintf("%s/d%03d/n%02d", path, dir, i+1), Data: make([]byte, 100), Version: -1})
		}
		ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("%s/d%03d/new%d", path, dir, time.Now().UnixNano()), Data: make([]byte, 100)})
		names, _, err := s.Children(ctx, fmt.Sprintf("%s/d%03d", path, dir))
		if err != nil {
			return 0, err
		}
		slices.Sort(names)
		last := names[len(names)-1] // the one that the call before has created; at first one of plant's
		ops = append(ops, &zk.DeleteRequest{Path: fmt.Sprintf("%s/d%03d/%s", path, dir, last), Version: -1})
		if _, err := s.Multi(ctx, ops...); err != nil {
			return 0, err
		}
		changed += len(ops) + 1
	}
	return changed, nil
}

// breakable dials the server for a client. Its connection can be broken, and no other one is made
// meanwhile.
type breakable struct {
	mu   sync.Mutex // held while no connection can be made; guards conn
	conn net.Conn
}

func (l *breakable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	l.conn = conn
	return conn, err
}

// without calls f while the connection is broken.
func (l *breakable) without(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn.Close()
	f()
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
