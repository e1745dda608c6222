// Package compose runs docker-compose.yml with a Docker engine, breaks its containers, and takes everything down:
//
//	make compose
//
// An engine that answers on this machine is used, with the images that it has or can pull. Where none answers, and
// this is root with dockerd at hand (Debian's docker.io), one is started and stopped again. It runs in namespaces of
// its own: it changes no network and no firewall of the machine, its ports meet nobody's, and the kernel ends it
// with its containers when this process ends in any way.
//
// # Stand-ins
//
// An engine of our own has no image and needs no registry. It gets stand-ins for the official images that the file
// names, in the same versions, made of what is here: programs of Debian, the servers' jars of Maven Central, the Go
// toolchain. What of an official image the file uses is the same in its stand-in: environment variables, ports, paths,
// volumes, zkServer.sh, a shell, curl.
//
// # Linux
//
// The containers' lines are stamped with CLOCK_MONOTONIC, which here is theirs too. So the engine has to be one of
// this kernel.
package compose
