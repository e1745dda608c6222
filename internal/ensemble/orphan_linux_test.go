package ensemble

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// childVar makes the test binary start a server, tell its address and wait for its own end.
const childVar = "ENSEMBLE_TEST_CHILD"

func init() {
	if os.Getenv(childVar) == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := Start(ctx, Config{Servers: 1})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(e.ConnectString())
	bufio.NewReader(os.Stdin).ReadByte() // a byte asks for os.Exit; otherwise a signal ends this
	os.Exit(3)
}

func TestServersDieWithTheProcessThatStartedThem(t *testing.T) {
	needsOwn(t)
	for name, end := range map[string]func(*exec.Cmd, func()){
		"os.Exit": func(_ *exec.Cmd, ask func()) { ask() },
		"SIGKILL": func(c *exec.Cmd, _ func()) { c.Process.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			child := exec.CommandContext(within(t), os.Args[0])
			child.Env = append(os.Environ(), childVar+"=1", "TMPDIR="+t.TempDir())
			in, err := child.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			addr, _ := bufio.NewReader(out).ReadString('\n')
			addr = strings.TrimSpace(addr)
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatalf("the child's server does not answer: %v", err)
			}
			conn.Close()
			end(child, func() { in.Write([]byte{'\n'}) })
			_ = child.Wait() // it was killed, or exits with 3
			err = poll(within(t), func(context.Context) error {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					return nil
				}
				conn.Close()
				return fmt.Errorf("%s still accepts", addr)
			}, func(err error) error { return err })
			if err != nil {
				t.Error(err)
			}
		})
	}
}
