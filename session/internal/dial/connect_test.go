package dial

import (
	"slices"
	"strings"
	"testing"
)

func TestConnectStrings(t *testing.T) {
	for _, c := range []struct {
		connect string
		servers []string
		chroot  string
	}{
		{"a", []string{"a:2181"}, ""},
		{"a:2182", []string{"a:2182"}, ""},
		{"a:1,b:2,c:3/app/x", []string{"a:1", "b:2", "c:3"}, "/app/x"},
		{"a:1/", []string{"a:1"}, ""},
		{"a:1/app/", []string{"a:1"}, "/app"},
		{" a:1 , b:2 ", []string{"a:1", "b:2"}, ""},
		{"a,a:2181,A", []string{"a:2181", "A:2181"}, ""},
		{"[::1]", []string{"[::1]:2181"}, ""},
		{"[::1]:9,127.0.0.1:9", []string{"[::1]:9", "127.0.0.1:9"}, ""},
		{"[fe80::1%eth0]:9", []string{"[fe80::1%eth0]:9"}, ""},
		{"[fe80::1%eth0]/app", []string{"[fe80::1%eth0]:2181"}, "/app"},
		{"a:2181,a:02181", []string{"a:2181"}, ""},
		{"a:1 ,\tb:2 /app", []string{"a:1", "b:2"}, "/app"},
		{"a:1/a b", []string{"a:1"}, "/a b"},
	} {
		servers, chroot, err := ParseConnect(c.connect)
		if err != nil || !slices.Equal(servers, c.servers) || chroot != c.chroot {
			t.Errorf("ParseConnect(%q) = %q, %q, %v; want %q, %q", c.connect, servers, chroot, err, c.servers, c.chroot)
		}
	}
}

func TestBadConnectStringsAreNamedAndExplained(t *testing.T) {
	for connect, want := range map[string]string{
		"":              "a server is empty",
		"a:1,":          "a server is empty",
		"a:1,,b:2":      "a server is empty",
		"/app":          "a server is empty",
		"a:":            `bad port ""`,
		"a:x":           `bad port "x"`,
		"a:0":           `bad port "0"`,
		"a:65536":       `bad port "65536", which is not one of 1 to 65535`,
		"a:-1":          `bad port "-1"`,
		":2181":         `bad host ""`,
		"a b:1":         `bad host "a b"`,
		"a\x00:1":       "bad host",
		"user@a:1":      "bad host",
		"::1":           "brackets",
		"fe80::1:2181":  "brackets",
		"[::1":          "missing",
		"[::1]x:1":      "[::1]x:1",
		"[]:1":          `bad host ""`,
		"zk://a:1":      "it has a scheme",
		"a:1/app,b:2":   "comma",
		"a:1//app":      "empty or relative part",
		"a:1/a/../b":    "empty or relative part",
		"a:1/a\x01":     "does not allow",
		"a:1/app//":     "/app/",
		"a:1/\uf8ff":    "does not allow",
		"a:1/a/./b":     "empty or relative part",
		"a:1/a\u007fb":  "does not allow",
		"a:1/x\u0000":   "does not allow",
		"host:2181:1":   "brackets",
		"a:1;b:2":       "separated by commas",
		"a;b":           `bad host "a;b"`,
		"a:1 b:2":       "separated by commas",
		"a b":           `bad host "a b"`,
		"a:1\nb:2":      "separated by commas",
		"a:1|b:2":       "separated by commas",
		"a:1\uff0cb:2":  "separated by commas",
		"a|b":           `bad host "a|b"`,
		",a:1":          "a server is empty",
		"a:1,/app":      "a server is empty",
		" ":             "a server is empty",
		"fe80::1%eth0":  "brackets",
		"[fe80::1%]:1":  `"fe80::1%" is no IPv6 address`,
		"[a:b]:1":       `"a:b" is no IPv6 address`,
		"[1::2::3]:1":   "is no IPv6 address",
		"a:+1":          `bad port "+1"`,
		"a: 1":          `bad port " 1"`,
		"a:1/app ":      "ends with a blank",
		"a:1/app\n":     "",
		`"a:1"`:         `\"a:1\"`,
		"http://a:2181": "",
	} {
		_, _, err := ParseConnect(connect)
		if err == nil {
			t.Errorf("ParseConnect(%q) found nothing wrong", connect)
			continue
		}
		if text := err.Error(); !strings.Contains(text, want) || !strings.Contains(text, "want host:port,host:port") {
			t.Errorf("ParseConnect(%q): %v; want %q in it, and what is allowed", connect, err, want)
		}
	}
}

func TestPaths(t *testing.T) {
	for path, ok := range map[string]bool{
		"/": true, "/a": true, "/a/b": true, "/a b": true, "/é": true, "/a.b": true, "/...": true, "/\ufdd0": true, "/\uffef": true,
		"": false, "a": false, "/a/": false, "//": false, "/a//b": false, "/.": false, "/a/..": false,
		"/a\x00": false, "/a\nb": false, "/a\u0085": false, "/\ue000": false, "/\ufff0": false, "/😀": false, "/\xff": false,
	} {
		if err := CheckPath(path); (err == nil) != ok {
			t.Errorf("CheckPath(%q) = %v, want ok = %v", path, err, ok)
		}
	}
}
