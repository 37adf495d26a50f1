import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The cases of the matrix for Java libraries; ../matrix tells what a program prints and is told. */
public final class Cases {
    /** What differs from one library to the other. */
    public interface Library {
        /** A client for one of FORMS; {@code once} asks for settings that never send a command twice. Throws NotOffered. */
        Client open(String form, Identity who, String host, int port, boolean once) throws Exception;

        /** What {@code once} sets, in words. */
        String once();

        /** Whether a client that never sends a command twice connects again by itself. */
        default boolean reconnectsOnce() { return true; }
    }

    /** Replies are as the library gives them; an error is thrown. */
    public interface Client {
        String set(byte[] key, byte[] value) throws Exception;
        List<?> pipeline(byte[] key, List<byte[]> values, boolean transaction) throws Exception;
        long del(byte[] key) throws Exception;
        /** HSET key metadata value, by whatever the library has for a command that it does not know. */
        String hset(byte[] key, byte[] metadata, byte[] value) throws Exception;
        List<byte[]> mget(String... words) throws Exception;
        void close() throws Exception;
    }

    /** The library has no such thing; the text says why. */
    public static final class NotOffered extends RuntimeException {
        public NotOffered(String why) { super(why); }
    }

    private interface Test { String run() throws Exception; }
    private interface Send { void to(Client client, byte[] key) throws Exception; }

    private static final String[] FORMS = {"auth-password", "auth-user-password", "auth-user-secret", "auth-url", "auth-url-secret", "auth-hello"};
    private static final String NAME = System.getenv("LIBRARY") + "-" + System.getenv("VERSION");
    private static final byte[] METADATA = bytes("\n\n\n\5trace\22\0017"); // Header { metadata: {"trace": "7"} }
    private static final BufferedReader STDIN = new BufferedReader(new InputStreamReader(System.in));

    private final Library library;

    public static void run(Library library) throws Exception {
        new Cases(library).all();
        System.exit(0);
    }

    private Cases(Library library) { this.library = library; }

    private void all() throws Exception {
        begin(subscriber());
        for (String form : FORMS) test(form, () -> authenticates(form));
        Identity sub = identity("sub");
        test("wrong-secret", () -> refused(new Identity(sub.key(), "wrong", sub.group(), sub.topic(), "sub"), "WRONGPASS"));
        test("refused-grant", () -> refused(new Identity(sub.key(), sub.secret(), System.getenv("PUB_GROUP"), sub.topic(), "sub"), "NOPERM"));
        test("publish", () -> published("publish", List.of("\"one\""), (c, key) -> written(c.set(key, bytes("\"one\"")))));
        test("publish-pipeline", () -> published("pipeline", numbers(500), (c, key) -> pipeline(c, key, 500, false)));
        test("publish-transaction", () -> published("transaction", numbers(2), (c, key) -> pipeline(c, key, 2, true)));
        String large = "\"" + "x".repeat(999_898) + "\"";
        test("publish-megabyte", () -> published("megabyte", List.of(large), (c, key) -> written(c.set(key, bytes(large)))));
        byte[] every = new byte[256];
        for (int i = 0; i < 256; i++) every[i] = (byte) i;
        String base64 = "{\"base64\":\"" + Base64.getEncoder().encodeToString(every) + "\"}";
        test("publish-binary", () -> published("binary", List.of(base64), (c, key) -> written(c.set(key, every))));
        test("publish-metadata", this::metadata);
        test("publish-tombstone", () -> published("tombstone", List.of("null"), (c, key) -> same(c.del(key), 1L)));
        test("consume", this::consume);
        test("at-once", this::atOnce);
        test("restart-daemon", () -> restart("restart-daemon"));
        test("restart-broker", () -> restart("restart-broker"));
        test("repeats", () -> times(sends(false)));
        test("repeats-off", () -> { same(sends(true), 1); return library.once(); });
    }

    private static void test(String name, Test test) {
        try {
            String note = test.run();
            System.out.println("ok " + name + (note == null ? "" : ": " + note));
        } catch (NotOffered why) {
            System.out.println("n/a " + name + ": " + why.getMessage());
        } catch (Throwable error) {
            error.printStackTrace();
            String text = error.toString().replace('\n', ' ');
            System.out.println("FAILED " + name + ": " + text.substring(0, Math.min(text.length(), 300)));
        }
    }

    private static Identity identity(String role) {
        return new Identity(System.getenv("KEY"), System.getenv("SECRET"), System.getenv("GROUP"), System.getenv("TOPIC"), role);
    }

    private Client open(String form, Identity who, String address, boolean once) throws Exception {
        String[] parts = address.split(":");
        return library.open(form, who, parts[0], Integer.parseInt(parts[1]), once);
    }
    private Client publisher() throws Exception { return open("auth-password", identity("pub"), System.getenv("DATABUS"), true); }
    private Client subscriber() throws Exception { return open("auth-password", identity("sub"), System.getenv("DATABUS"), true); }

    private String authenticates(String form) throws Exception {
        Client client = open(form, identity("pub"), System.getenv("DATABUS"), false);
        written(client.set(bytes("auth"), bytes("1")));
        client.close();
        client = open(form, identity("sub"), System.getenv("DATABUS"), false);
        messages(client);
        client.close();
        return null;
    }

    /** The class of the error that says so, which may be the cause of others. */
    private String refused(Identity who, String word) throws Exception {
        try {
            Client client = open("auth-password", who, System.getenv("DATABUS"), true);
            try {
                client.mget("WAIT", "0");
            } finally {
                client.close();
            }
        } catch (Exception error) {
            String path = "";
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                path += (path.isEmpty() ? "" : ", caused by ") + cause.getClass().getSimpleName();
                if (cause.getMessage() != null && cause.getMessage().startsWith(word)) return path;
            }
            throw error;
        }
        throw new AssertionError("no error");
    }

    /** What {@code send} publishes under a key comes as {@code values}. */
    private String published(String test, List<String> values, Send send) throws Exception {
        byte[] key = bytes(NAME + "-" + test);
        Client client = publisher();
        send.to(client, key);
        client.close();
        client = subscriber();
        same(take(client, key, values.size(), true).stream().map(Message::value).toList(), values);
        client.close();
        return null;
    }

    private static void pipeline(Client client, byte[] key, int count, boolean transaction) throws Exception {
        List<?> replies = client.pipeline(key, numbers(count).stream().map(Cases::bytes).collect(Collectors.toList()), transaction);
        same(replies.size(), count);
        for (Object reply : replies) written(reply);
    }

    private String metadata() throws Exception {
        byte[] key = bytes(NAME + "-metadata");
        Client client = publisher();
        written(client.hset(key, METADATA, bytes("1")));
        client.close();
        client = subscriber();
        same(take(client, key, 1, true).get(0).metadata(), "{\"trace\":\"7\"}");
        client.close();
        return null;
    }

    private String consume() throws Exception {
        byte[] key = bytes(NAME + "-consume");
        Client client = publisher();
        pipeline(client, key, 10, false);
        client.close();
        client = subscriber();
        mark(client, take(client, key, 10, false).get(3));
        client.close();
        client = subscriber();
        same(take(client, key, 6, true).stream().map(Message::value).toList(), List.of("4", "5", "6", "7", "8", "9"));
        same(client.mget("WAIT", "100").size(), 0);
        client.close();
        return null;
    }

    private String atOnce() throws Exception {
        String key = NAME + "-at-once";
        try (AtOnce threads = new AtOnce()) {
            Client client = publisher();
            threads.publish(client, bytes(key));
            client.close();
            client = subscriber();
            threads.consume(client, key);
            client.close();
        }
        return null;
    }

    /** The clients stay; a command that fails is just tried again later. */
    private String restart(String what) throws Exception {
        byte[] key = bytes(NAME + "-" + what);
        Client out = open("auth-password", identity("pub"), System.getenv("DATABUS"), library.reconnectsOnce());
        Client into = open("auth-password", identity("sub"), System.getenv("DATABUS"), library.reconnectsOnce());
        written(out.set(key, bytes("0")));
        take(into, key, 1, true);
        Set<String> missing = new HashSet<>();
        ask(what);
        long limit = System.nanoTime() + 240_000_000_000L;
        boolean over = false;
        for (int number = 1, row = 0; row < 20; number++) {
            try {
                written(out.set(key, bytes("" + number)));
                missing.add("" + number);
                row++;
            } catch (Exception | AssertionError error) {
                System.err.println("SET: " + error);
                row = 0;
                Thread.sleep(100);
            }
            Thread.sleep(10);
            if (!over) {
                over = ask("over").equals("yes");
                row = 0;
            }
            if (System.nanoTime() > limit) throw new AssertionError("does not come back");
        }
        int all = missing.size();
        for (limit += 120_000_000_000L; !missing.isEmpty(); ) {
            if (System.nanoTime() > limit) throw new AssertionError(missing.size() + " of " + all + " lost");
            try {
                for (Message message : messages(into)) {
                    mark(into, message);
                    missing.remove(message.value());
                }
            } catch (Exception | AssertionError error) {
                System.err.println("MGET: " + error);
                Thread.sleep(200);
            }
        }
        out.close();
        into.close();
        return null;
    }

    private int sends(boolean once) throws Exception {
        ask("breaks");
        Client client = null;
        try {
            client = open("auth-password", identity("pub"), System.getenv("BREAKS"), once);
            client.set(bytes("x"), bytes("1"));
        } catch (Exception error) {
            System.err.println("SET: " + error);
        }
        int count = Integer.parseInt(ask("breaks"));
        if (client != null) client.close();
        return count;
    }

    /** The group begins to read; Kafka may take its time over that. */
    private static void begin(Client client) throws Exception {
        for (long limit = System.nanoTime() + 60_000_000_000L; ; ) {
            try {
                client.mget("WAIT", "1000");
                client.close();
                return;
            } catch (Exception error) {
                if (System.nanoTime() > limit) throw error;
            }
        }
    }

    private static List<Message> messages(Client client) throws Exception {
        return client.mget("COUNT", "1000", "WAIT", "1000").stream().map(Message::of).toList();
    }

    /** The next messages with this key, so many. */
    private static List<Message> take(Client client, byte[] key, int count, boolean marks) throws Exception {
        List<Message> found = new ArrayList<>();
        String wanted = new String(key, StandardCharsets.UTF_8);
        for (long limit = System.nanoTime() + 60_000_000_000L; found.size() < count; ) {
            if (System.nanoTime() > limit) throw new AssertionError(found.size() + " of " + count + " came");
            for (Message message : messages(client)) {
                if (message.key().equals(wanted)) found.add(message);
                if (marks) mark(client, message);
            }
        }
        return found;
    }

    private static void mark(Client client, Message message) throws Exception {
        written(client.set(bytes(message.partition()), bytes(message.offset())));
    }

    static void written(Object reply) {
        same(reply instanceof byte[] ? new String((byte[]) reply, StandardCharsets.UTF_8) : String.valueOf(reply), "OK");
    }

    private static String same(Object got, Object want) {
        if (!got.equals(want)) {
            Function<Object, String> shown = value -> value.toString().substring(0, Math.min(value.toString().length(), 100));
            throw new AssertionError("got " + shown.apply(got) + ", want " + shown.apply(want));
        }
        return null;
    }

    private static List<String> numbers(int count) { return IntStream.range(0, count).mapToObj(Integer::toString).toList(); }

    private static String times(int count) {
        return count == 1 ? "once" : count == 2 ? "twice" : count == 9 ? "9 times or more" : count + " times";
    }

    private static String ask(String question) throws Exception {
        System.out.println("? " + question);
        return STDIN.readLine();
    }

    public static byte[] bytes(String text) { return text.getBytes(StandardCharsets.UTF_8); }
}
