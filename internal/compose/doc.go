// Package compose runs docker-compose.yml with a Docker engine, breaks its containers, and takes
// everything down:
//
//	make compose
//
// It uses the engine that answers on this machine, with the images that it has or can pull. If none
// answers, and the process is root and finds dockerd (Debian's docker.io), it starts an engine and
// stops it again. It runs in namespaces of its own: it changes no network and no firewall of the
// machine, its ports do not collide with others, and the kernel ends it with its containers when
// this process ends in any way.
//
// # Stand-ins
//
// An engine of our own has no image and needs no registry. It gets stand-ins for the official
// images that the file names, in the same versions, made of local files: programs of Debian, the
// servers' jars of Maven Central, the Go toolchain. Everything that the file uses of an official
// image is the same in its stand-in: environment variables, ports, paths, volumes, zkServer.sh, a
// shell, curl.
//
// # Linux
//
// The containers' lines are stamped with CLOCK_MONOTONIC, which is this process's clock, too. So
// the engine has to run on this kernel.
package compose
