import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.*;
import java.util.concurrent.*;

/* A selector server and client threads in one JVM: every number comes back, squared, in order. */
public class Sockets {
	static final int CLIENTS = 4, NUMBERS = 1500;

	static void serve(ServerSocketChannel listener) throws IOException {
		Selector selector = Selector.open();
		listener.configureBlocking(false);
		listener.register(selector, SelectionKey.OP_ACCEPT);
		int open = 0, ended = 0;
		while (ended < CLIENTS) {
			selector.select();
			for (Iterator<SelectionKey> i = selector.selectedKeys().iterator(); i.hasNext();) {
				SelectionKey key = i.next();
				i.remove();
				if (key.isAcceptable()) {
					SocketChannel c = listener.accept();
					c.configureBlocking(false);
					c.register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(8));
					open++;
					continue;
				}
				SocketChannel c = (SocketChannel) key.channel();
				ByteBuffer b = (ByteBuffer) key.attachment();
				if (c.read(b) < 0) {
					c.close();
					ended++;
				} else if (!b.hasRemaining()) {
					b.flip();
					long n = b.getLong();
					b.clear();
					ByteBuffer reply = ByteBuffer.allocate(8).putLong(n * n);
					reply.flip();
					while (reply.hasRemaining())
						c.write(reply);
				}
			}
		}
		System.out.println("connections " + open);
	}

	static long ask(int port) throws Exception {
		long sum = 0;
		try (Socket s = new Socket("127.0.0.1", port)) {
			s.setTcpNoDelay(true);
			DataInputStream in = new DataInputStream(s.getInputStream());
			DataOutputStream out = new DataOutputStream(s.getOutputStream());
			for (long n = 1; n <= NUMBERS; n++) {
				out.writeLong(n);
				long square = in.readLong();
				if (square != n * n)
					throw new IllegalStateException(n + " became " + square);
				sum += square;
				if (n % 4 == 0)
					Thread.sleep(1);
			}
		}
		return sum;
	}

	public static void main(String[] args) throws Exception {
		ServerSocketChannel listener = ServerSocketChannel.open();
		listener.bind(new InetSocketAddress("127.0.0.1", 0));
		int port = ((InetSocketAddress) listener.getLocalAddress()).getPort();
		ExecutorService pool = Executors.newFixedThreadPool(CLIENTS);
		List<Future<Long>> sums = new ArrayList<>();
		for (int i = 0; i < CLIENTS; i++)
			sums.add(pool.submit(() -> ask(port)));
		serve(listener);
		long total = 0;
		for (Future<Long> f : sums)
			total += f.get();
		pool.shutdown();
		System.out.println("sum " + total);
	}
}
