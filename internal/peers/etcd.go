package peers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/zkrecipe/zkrecipe/internal/loopback"
	"github.com/zkrecipe/zkrecipe/internal/tether"
)

// etcd builds the program of etcd's candidates and servers. The first time that takes minutes.
func (h *Hosts) etcd(ctx context.Context) (exe string, err error) {
	exe = filepath.Join(h.dir, "etcd")
	return exe, h.build(ctx, "etcd", "go", "build", "-C", filepath.Join("hosts", "etcd"), "-o", exe, ".")
}

// EtcdCluster is three servers of etcd on loopback, with etcd's own times.
type EtcdCluster struct {
	Endpoints string // for Config.Connect
	dir       string
	members   []*exec.Cmd
}

// StartEtcd starts a cluster and waits until it has a leader. The servers end with this process at
// the latest.
func (h *Hosts) StartEtcd(ctx context.Context) (c *EtcdCluster, err error) {
	exe, err := h.etcd(ctx)
	if err != nil {
		return nil, err
	}
	c = &EtcdCluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.dir, err = os.MkdirTemp("", "etcd"); err != nil {
		return c, err
	}
	addresses, err := freeAddresses(6)
	if err != nil {
		return c, err
	}
	var clients, cluster []string
	for i := range 3 {
		clients = append(clients, "http://"+addresses[i])
		cluster = append(cluster, fmt.Sprintf("member%d=http://%s", i, addresses[3+i]))
	}
	c.Endpoints = strings.Join(clients, ",")
	var outputs []io.Reader
	for i := range 3 {
		name := fmt.Sprintf("member%d", i)
		cmd := exec.Command(exe, "server", name, clients[i], strings.Join(cluster, ","), filepath.Join(c.dir, name))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return c, err
		}
		if _, err := cmd.StdinPipe(); err != nil { // open as long as we live
			return c, err
		}
		if err := tether.Start(cmd); err != nil {
			return c, err
		}
		c.members, outputs = append(c.members, cmd), append(outputs, out)
	}
	for _, out := range outputs {
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			return c, fmt.Errorf("a server of etcd says %q: %w", line, err)
		}
	}
	return c, nil
}

// Signal sends a signal, such as SIGSTOP and SIGCONT, to all servers.
func (c *EtcdCluster) Signal(s os.Signal) (err error) {
	for _, m := range c.members {
		err = errors.Join(err, m.Process.Signal(s))
	}
	return err
}

// Close ends the servers and removes their data.
func (c *EtcdCluster) Close() error {
	for _, m := range c.members {
		m.Process.Kill()
		m.Wait()
	}
	return os.RemoveAll(c.dir)
}

// freeAddresses returns addresses on loopback at which nobody listens.
func freeAddresses(n int) (all []string, err error) {
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback.Host(), "0"))
		if err != nil {
			return nil, err
		}
		defer l.Close() // when all are chosen
		all = append(all, l.Addr().String())
	}
	return all, nil
}
