import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** Several threads on one client: on its pool, or on the connection that they share. */
final class AtOnce implements AutoCloseable {
    private final ExecutorService threads = Executors.newFixedThreadPool(8);

    void publish(Cases.Client client, byte[] key) throws Exception {
        for (Object reply : all(IntStream.range(0, 200), number -> () -> client.set(key, Cases.bytes("" + number)))) Cases.written(reply);
    }

    /** MGET and the marks of what the MGET before gave, side by side. */
    void consume(Cases.Client client, String key) throws Exception {
        Set<String> missing = new HashSet<>();
        for (int number = 0; number < 200; number++) missing.add("" + number);
        List<Message> marks = List.of();
        for (long limit = System.nanoTime() + 60_000_000_000L; !missing.isEmpty() || !marks.isEmpty(); ) {
            if (System.nanoTime() > limit) throw new AssertionError(missing.size() + " of 200 did not come");
            Future<List<byte[]>> found = threads.submit(() -> client.mget("COUNT", "20", "WAIT", "1000"));
            List<Message> marking = marks;
            for (Object reply : all(IntStream.range(0, marks.size()), number -> () -> client.set(Cases.bytes(marking.get(number).partition()), Cases.bytes(marking.get(number).offset())))) {
                Cases.written(reply);
            }
            marks = found.get().stream().map(Message::of).toList();
            for (Message message : marks) if (message.key().equals(key)) missing.remove(message.value());
        }
    }

    private List<Object> all(IntStream numbers, IntFunction<Callable<Object>> call) throws Exception {
        List<Object> replies = new ArrayList<>();
        for (Future<Object> reply : threads.invokeAll(numbers.mapToObj(call).toList())) replies.add(reply.get());
        return replies;
    }

    public void close() { threads.shutdown(); }
}
