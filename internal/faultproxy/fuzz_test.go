package faultproxy

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// carry sends data through a proxy to a server that returns what it got, both ways.
func carry(t *testing.T, data []byte) (atServer, atClient []byte) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan []byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- nil
			return
		}
		defer c.Close()
		all, _ := io.ReadAll(c)
		c.Write(all)
		got <- all
	}()
	p, err := New(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := dial(t, p)
	c.send(data)
	c.Conn.(*net.TCPConn).CloseWrite()
	atClient, err = io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return <-got, atClient
}

func TestFourLetterWordsPass(t *testing.T) {
	if atServer, atClient := carry(t, []byte("srvr")); string(atServer) != "srvr" || string(atClient) != "srvr" {
		t.Errorf("got %q and %q", atServer, atClient)
	}
}

// through sends data through a connection in one direction, without sockets: thousands of them a
// second would use up the machine's ports.
func through(t *testing.T, dir Dir, data []byte) []byte {
	p := newProxy("")
	client, clientSide := net.Pipe()
	server, serverSide := net.Pipe()
	src, dst := client, server
	if dir == ToClient {
		src, dst = server, client
	}
	c := newConn(p, clientSide, serverSide)
	var wg sync.WaitGroup
	wg.Go(c.run)
	wg.Go(func() {
		src.Write(data)
		src.Close()
	})
	got, err := io.ReadAll(dst)
	if err != nil {
		t.Error(err)
	}
	dst.Close()
	wg.Wait()
	return got
}

func FuzzAnyBytesPassUnchanged(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{0, 0})
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0, 0, 1, 0, 42})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0x16, 3, 1, 2, 0, 1, 0})
	f.Add(slices.Concat(connectRequest(1, 2), req(1, OpMulti, "/a"), prefix([]byte{1, 2, 3})))
	f.Add(slices.Concat(connectRequest(1, 2), req(1, OpCreate, ""), []byte{255, 255, 255, 255, 1}))
	f.Add(slices.Concat(connectResponse(1, 2), event(1, "/a")[:30], reply(-2, 1, 0, "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, dir := range []Dir{ToServer, ToClient} {
			if got := through(t, dir, data); !bytes.Equal(got, data) {
				t.Errorf("%v: sent %q, got %q", dir, data, got)
			}
		}
	})
}

func FuzzParsingNeverPanics(f *testing.F) {
	f.Add(req(1, OpMulti, "/a"), false)
	f.Add(event(2, "/a"), true)
	f.Add(connectRequest(1, 2), true)
	f.Fuzz(func(t *testing.T, data []byte, first bool) {
		r := bytes.NewReader(data)
		got, framed, err := readFrame(r)
		if rest, _ := io.ReadAll(r); !bytes.Equal(append(slices.Clone(got), rest...), data) {
			t.Fatal("bytes got lost")
		}
		if framed != (err == nil && len(got) >= 4 && int(binary.BigEndian.Uint32(got)) == len(got)-4) {
			t.Fatalf("framed %v for %q, %v", framed, got, err)
		}
		if framed {
			var f Frame
			parseRequest(&f, got, first)
			parseReply(&f, got, first)
		}
	})
}
