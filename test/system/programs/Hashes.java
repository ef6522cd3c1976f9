import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;

/** Four threads hash in rounds, meet at a barrier, and make garbage: the compilers and collectors work. */
public class Hashes {
	static final int THREADS = 4;
	static final int ROUNDS = 24;
	static final int STEPS = 2400000;

	static long mix(long x) {
		x ^= x >>> 33;
		x *= 0xff51afd7ed558ccdL;
		x ^= x >>> 33;
		x *= 0xc4ceb9fe1a85ec53L;
		return x ^ (x >>> 33);
	}

	static long round(int thread, int round, ConcurrentHashMap<String, Long> sums) {
		long sum = thread * 31 + round;
		List<byte[]> garbage = new ArrayList<>();
		for (int i = 0; i < STEPS; i++) {
			sum = mix(sum + i);
			if (i % 1000 == 0)
				garbage.add(new byte[1024]);
		}
		sums.put(thread + "/" + round, sum + garbage.size());
		return sum;
	}

	public static void main(String[] args) throws Exception {
		ConcurrentHashMap<String, Long> sums = new ConcurrentHashMap<>();
		int[] rounds = new int[1];
		CyclicBarrier barrier = new CyclicBarrier(THREADS, () -> System.out.println("round " + rounds[0]++));
		List<Thread> threads = new ArrayList<>();
		for (int t = 0; t < THREADS; t++) {
			int thread = t;
			threads.add(new Thread(() -> {
				try {
					for (int r = 0; r < ROUNDS; r++) {
						round(thread, r, sums);
						barrier.await();
						Thread.sleep(20);
					}
				} catch (Exception e) {
					throw new RuntimeException(e);
				}
			}));
			threads.get(t).start();
		}
		for (Thread t : threads)
			t.join();
		long total = 0;
		for (long sum : sums.values())
			total += sum;
		System.out.println(sums.size() + " sums, total " + total);
	}
}
