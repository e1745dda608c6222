package dial

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultPort is ZooKeeper's client port.
const DefaultPort = "2181"

// ParseConnect parses a connect string: "host1:port1,host2:port2/chroot". A missing port is
// [DefaultPort]; an IPv6 address stands in brackets, with its zone if it has one:
// "[fe80::1%eth0]:2181". ParseConnect returns the servers as host:port, and the chroot as "" or as
// a path without a slash at its end. It refuses strings that ZooKeeper's own client would
// misunderstand: that client drops empty servers, and reads "a:1;b:2" as one host.
func ParseConnect(connect string) (servers []string, chroot string, err error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("connect string %q: %s; want host:port,host:port with an optional /chroot at the end", connect, fmt.Sprintf(format, args...))
	}
	hosts := connect
	if strings.Contains(connect, "://") {
		return nil, "", bad("it has a scheme")
	}
	if i := strings.IndexByte(connect, '/'); i >= 0 {
		hosts, chroot = connect[:i], strings.TrimSuffix(connect[i:], "/")
		if strings.Contains(chroot, ",") {
			return nil, "", bad("the chroot %q has a comma; it belongs after the last server only", connect[i:])
		}
		if chroot != "" {
			if chroot == "/" {
				return nil, "", bad("the chroot %q has an empty part", connect[i:])
			}
			if strings.TrimSpace(chroot) != chroot { // with the blank it would be another path
				return nil, "", bad("the chroot %q ends with a blank", connect[i:])
			}
			if err := CheckPath(chroot); err != nil {
				return nil, "", bad("chroot: %v", err)
			}
		}
	}
	seen := map[string]bool{}
	for _, part := range strings.Split(hosts, ",") {
		server, err := parseServer(strings.TrimSpace(part))
		if err != nil {
			return nil, "", bad("%v", err)
		}
		if !seen[server] {
			seen[server] = true
			servers = append(servers, server)
		}
	}
	return servers, chroot, nil
}

func parseServer(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("a server is empty")
	}
	host, port := s, DefaultPort
	switch bracket := strings.LastIndexByte(s, ']'); {
	case s[0] == '[' && bracket == len(s)-1:
		host = s[1 : len(s)-1]
	case s[0] == '[' || strings.Count(s, ":") == 1:
		var err error
		if host, port, err = net.SplitHostPort(s); err != nil {
			return "", fmt.Errorf("server %q: %v", s, err)
		}
	case strings.Count(s, ":") > 1:
		return "", fmt.Errorf("server %q has more than one colon: servers are separated by commas, and an IPv6 address must stand in brackets", s)
	}
	if host == "" || strings.ContainsAny(host, " \t\r\n\x00@?#[];|\\'\"") {
		return "", fmt.Errorf("server %q: bad host %q", s, host)
	}
	if strings.Contains(host, ":") {
		if _, err := netip.ParseAddr(host); err != nil {
			return "", fmt.Errorf("server %q: %q is no IPv6 address", s, host)
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("server %q: bad port %q, which is not one of 1 to 65535", s, port)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// CheckPath reports what is wrong with a znode path by the rules of ZooKeeper's
// PathUtils.validatePath.
func CheckPath(path string) error {
	if isPlain(path) {
		return nil
	}
	switch {
	case path == "":
		return fmt.Errorf("path is empty; it must begin with /")
	case path[0] != '/':
		return fmt.Errorf("path %q does not begin with /", path)
	case path == "/":
		return nil
	case strings.HasSuffix(path, "/"):
		return fmt.Errorf("path %q ends with /", path)
	}
	for _, part := range strings.Split(path[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("path %q has an empty or relative part", path)
		}
	}
	for i, r := range path {
		// A server refuses control characters, surrogates, the private use area and the specials.
		// Servers check UTF-16. There, all characters from U+10000 on are surrogates. Bytes that
		// are not UTF-8 become U+FFFD for servers, as they do for range.
		if r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0 {
			return fmt.Errorf("path %q has the character %q at %d, which ZooKeeper does not allow: no control characters, none for private use, none above U+FFEF", path, r, i)
		}
	}
	return nil
}

// isPlain reports whether a path needs no further checks: its names are of printable ASCII and do
// not begin with a dot. Each request checks its paths, and nearly all are plain.
func isPlain(path string) bool {
	before := byte(0)
	for i := range len(path) {
		c := path[i]
		if c < ' ' || c > '~' || before == '/' && (c == '/' || c == '.') || i == 0 && c != '/' {
			return false
		}
		before = c
	}
	return before != '/' && before != 0
}
