package org.apache.curator.test;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** In place of Curator's class of this name: a server that another process runs for the tests. */
public class TestingServer implements Closeable {
    private static final String CONTROL = System.getProperty("control");
    /** Real servers take time. Some tests need that: they begin a thread, and hope that it is faster than four messages. */
    private static final String NEW = "/new?servers=1&tick=500ms&latency=1ms&containers=";
    private static final Map<Integer, String> BY_PORT = new ConcurrentHashMap<>();

    private final String id;
    private final String address;
    private final File directory = new File(System.getProperty("java.io.tmpdir"));

    public TestingServer() throws Exception {
        this(-1, true);
    }

    public TestingServer(boolean start) throws Exception {
        this(-1, start);
    }

    public TestingServer(int port) throws Exception {
        this(port, true);
    }

    public TestingServer(int port, File directory) throws Exception {
        this(port, true);
    }

    public TestingServer(int port, File directory, boolean start) throws Exception {
        this(port, start);
    }

    public TestingServer(InstanceSpec spec, boolean start) throws Exception {
        this(spec.getPort(), start);
    }

    /** A port that had a server before gets the same one, with its data. Others are not chosen by the tests. */
    public TestingServer(int port, boolean start) throws Exception {
        String known = BY_PORT.get(port);
        String[] made = (known != null ? known : ask(NEW + Integer.getInteger("znode.container.checkIntervalMs", 60000) + "ms")).split(" ");
        id = made[0];
        address = made[1];
        BY_PORT.put(getPort(), id + " " + address);
        if (start) {
            start();
        } else {
            stop();
        }
    }

    public int getPort() {
        return Integer.parseInt(address.substring(address.indexOf(':') + 1));
    }

    public String getConnectString() {
        return address;
    }

    public File getTempDirectory() {
        return directory;
    }

    public void start() throws Exception {
        ask("/start?server=0&id=" + id);
    }

    public void stop() throws IOException {
        ask("/stop?server=0&id=" + id);
    }

    public void restart() throws Exception {
        stop();
        start();
    }

    @Override
    public void close() throws IOException {
        stop();
    }

    private static String ask(String what) throws IOException {
        HttpURLConnection c = (HttpURLConnection) new URL(CONTROL + what).openConnection();
        try (InputStream in = c.getInputStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).trim();
        }
    }
}
