//go:build linux

package compose

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// rootfs writes the files of an image, copies of files of this machine for the most part. After an
// error it does nothing.
type rootfs struct {
	tar  *tar.Writer
	have map[string]bool
	err  error
}

func newRootfs(out io.Writer) *rootfs {
	r := &rootfs{tar: tar.NewWriter(out), have: map[string]bool{}}
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		if target, err := os.Readlink("/" + dir); err == nil {
			r.link("/"+dir, target) // as most systems have it by now
		}
	}
	r.dir("/tmp", 0o1777)
	r.dir("/root", 0o700)
	r.file("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/bash\n")
	r.file("/etc/group", 0o644, "root:x:0:\n")
	r.link("/usr/bin/sh", "bash")
	return r
}

// close ends the image.
func (r *rootfs) close() error {
	if r.err != nil {
		return r.err
	}
	return r.tar.Close()
}

// unneeded begins the names of files that no program needs.
var unneeded = []string{"/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/fonts", "/usr/share/info", "/usr/lib/udev"}

// debian adds Debian's packages, which are installed here, and those that they depend on.
func (r *rootfs) debian(ctx context.Context, e *engine, packages ...string) {
	if r.err != nil {
		return
	}
	depends := []string{"apt-cache", "depends", "--recurse", "--installed", "--no-recommends", "--no-suggests",
		"--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances"}
	tree, err := e.run(ctx, append(depends, packages...)...)
	installed, err2 := e.run(ctx, "dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n")
	if err := errors.Join(err, err2); err != nil {
		r.err = err
		return
	}
	here := map[string]bool{}
	for line := range strings.Lines(installed) {
		here[line] = true
	}
	list := []string{"dpkg", "-L"}
	for line := range strings.Lines(tree) {
		// A line that is indented, or in <>, is no package; of two that would do, one need not be
		// here.
		if name := strings.TrimSpace(line); here[name+" installed\n"] && !strings.ContainsAny(line[:1], " |<") {
			list = append(list, name)
		}
	}
	files, err := e.run(ctx, list...)
	if err != nil {
		r.err = err
		return
	}
	for file := range strings.Lines(files) {
		file = strings.TrimSpace(file)
		skip := func(prefix string) bool { return strings.HasPrefix(file, prefix) }
		// Other lines tell of diversions.
		if strings.HasPrefix(file, "/") && !slices.ContainsFunc(unneeded, skip) {
			r.copy(file, file)
		}
	}
}

// tree adds a directory of this machine and all in it under another name. It leaves out what skip
// says, and no skip leaves out nothing.
func (r *rootfs) tree(from, to string, skip func(name string) bool) {
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		rel, err2 := filepath.Rel(from, name)
		if err := errors.Join(err, err2, r.err); err != nil {
			return err
		}
		if skip != nil && skip(rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		r.copy(name, path.Join(to, rel))
		return nil
	})
	r.err = errors.Join(r.err, err)
}

// copy adds one file, link or directory of this machine. One that is missing is left out: a
// package's list names files that an administrator has taken away.
func (r *rootfs) copy(from, to string) {
	info, err := os.Lstat(from)
	if r.err != nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	// The directory by its true name: /bin is a link.
	parent, err2 := filepath.EvalSymlinks(filepath.Dir(from))
	if from == to {
		to = path.Join(parent, path.Base(to))
	}
	if err := errors.Join(err, err2); err != nil {
		r.err = err
		return
	}
	switch {
	case info.IsDir():
		r.dir(to, int64(info.Mode().Perm()))
	case info.Mode().IsRegular():
		f, err := os.Open(from)
		if err != nil {
			r.err = err
			return
		}
		defer f.Close()
		r.add(&tar.Header{Typeflag: tar.TypeReg, Name: to, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()}, f)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		r.err = err
		r.link(to, target)
	}
}

func (r *rootfs) dir(name string, mode int64) {
	r.add(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}, nil)
}

func (r *rootfs) file(name string, mode int64, text string) {
	r.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(text))}, strings.NewReader(text))
}

func (r *rootfs) link(name, target string) {
	r.add(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

// add adds what is not there already; the first one counts.
func (r *rootfs) add(h *tar.Header, content io.Reader) {
	h.Name = strings.TrimPrefix(path.Clean(h.Name), "/")
	if r.err != nil || h.Name == "" || r.have[h.Name] {
		return
	}
	r.have[h.Name] = true
	if h.ModTime.IsZero() {
		h.ModTime = time.Unix(0, 0)
	}
	if err := r.tar.WriteHeader(h); err != nil {
		r.err = fmt.Errorf("%s: %w", h.Name, err)
		return
	}
	if content != nil {
		_, err := io.Copy(r.tar, content)
		r.err = err
	}
}
